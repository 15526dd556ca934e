# Two ways to libzmq:
#   pp_zmq         the shared library, for hub and CLI.
#   pp_zmq_static  the archive and what it wants, for the fully static shim: 284 kB a shim where the shared one costs 714.
#                  Debian has no GSSAPI archive; pp never uses that mechanism, so its 13 symbols are bound to abort().
find_package(PkgConfig REQUIRED)
pkg_check_modules(ZMQ REQUIRED IMPORTED_TARGET libzmq)
add_library(pp_zmq INTERFACE)
target_link_libraries(pp_zmq INTERFACE PkgConfig::ZMQ)

add_library(pp_zmq_static INTERFACE)
set(gss_symbols
    gss_accept_sec_context gss_acquire_cred gss_delete_sec_context gss_display_name gss_import_name
    gss_init_sec_context gss_release_buffer gss_release_cred gss_release_name gss_unwrap gss_wrap
    GSS_C_NT_HOSTBASED_SERVICE GSS_C_NT_USER_NAME)
foreach(symbol ${gss_symbols})
    target_link_options(pp_zmq_static INTERFACE "LINKER:--defsym=${symbol}=abort")
endforeach()
target_link_libraries(pp_zmq_static INTERFACE
    -Wl,--start-group -l:libzmq.a -l:libpgm.a -l:libnorm.a -l:libprotokit.a -l:libsodium.a -l:libbsd.a -l:libmd.a
    -Wl,--end-group)
