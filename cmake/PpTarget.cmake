# pp_library(name SOURCES… LINK…) and pp_program(name SOURCES… LINK…): language level, include root,
# warnings and sanitizers, in one place.
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

add_library(pp_build INTERFACE)
target_compile_features(pp_build INTERFACE cxx_std_20)
target_include_directories(pp_build INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_definitions(pp_build INTERFACE _GNU_SOURCE PP_VERSION="${PROJECT_VERSION}")
target_compile_options(pp_build INTERFACE
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wold-style-cast -Wswitch-enum -Wnon-virtual-dtor
    -Werror -fno-omit-frame-pointer)
if(PP_SANITIZE)
    target_compile_options(pp_build INTERFACE -fsanitize=${PP_SANITIZE} -fno-sanitize-recover=all)
    target_link_options(pp_build INTERFACE -fsanitize=${PP_SANITIZE})
    if(PP_SANITIZE MATCHES "fuzzer")
        # It makes a pipe to look at an object, and says that the object is none where no descriptor is left.
        target_compile_options(pp_build INTERFACE -fno-sanitize=vptr)
    endif()
    if(PP_SANITIZE STREQUAL "thread")
        # It does not see fences; ours stand between processes, which it does not see either.
        target_compile_options(pp_build INTERFACE -Wno-tsan)
    endif()
endif()

# By it pp tells another build of the same version (protocol/os/build_id.h).
target_link_options(pp_build INTERFACE LINKER:--build-id=sha1)

# What a sanitizer has to say of our programs goes to files there: most of them are started with an environment of their own,
# and say things to nobody.
set(PP_SANITIZER_REPORTS ${CMAKE_BINARY_DIR}/sanitizer-reports)
if(PP_SANITIZE)
    file(MAKE_DIRECTORY ${PP_SANITIZER_REPORTS})
endif()

find_program(PP_MOLD mold)
if(PP_MOLD)
    target_link_options(pp_build INTERFACE -fuse-ld=mold)
endif()

# Headers of libraries are somebody else's to keep free of warnings.
function(pp_library name)
    cmake_parse_arguments(arg "" "" "SOURCES;LINK;PRIVATE_LINK" ${ARGN})
    add_library(${name} STATIC ${arg_SOURCES})
    target_link_libraries(${name} PUBLIC pp_build ${arg_LINK} PRIVATE ${arg_PRIVATE_LINK})
endfunction()

# Fully static, without what is never called and without symbols: a shim runs once per process.
function(pp_make_static name)
    target_compile_options(${name} PRIVATE -ffunction-sections -fdata-sections)
    target_link_options(${name} PRIVATE -static -no-pie -Wl,--gc-sections -s)
endfunction()

function(pp_program name)
    cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
    add_executable(${name} ${arg_SOURCES})
    if(PP_SANITIZE STREQUAL "thread")
        target_sources(${name} PRIVATE ${CMAKE_SOURCE_DIR}/cmake/tsan.cc)
    endif()
    target_link_libraries(${name} PRIVATE pp_build ${arg_LINK})
endfunction()

# For the programs that people run, and not for tests.
function(pp_reports_to_files name)
    if(PP_SANITIZE)
        target_sources(${name} PRIVATE ${CMAKE_SOURCE_DIR}/cmake/sanitizer_reports.cc)
        set_source_files_properties(${CMAKE_SOURCE_DIR}/cmake/sanitizer_reports.cc TARGET_DIRECTORY ${name}
            PROPERTIES COMPILE_DEFINITIONS "PP_SANITIZER_REPORTS=\"${PP_SANITIZER_REPORTS}\"")
    endif()
endfunction()
