/// Where our programs' sanitizers report, whoever starts them; the test "sanitizers: none has found anything" looks there.
/// What is in the environment counts for more.
#define PP_OPTIONS "log_path=" PP_SANITIZER_REPORTS "/report:log_exe_name=1:print_stacktrace=1"

extern "C" const char* __asan_default_options();
extern "C" const char* __ubsan_default_options();
extern "C" const char* __tsan_default_options();
extern "C" const char* __asan_default_options() { return PP_OPTIONS ":handle_abort=1"; }
extern "C" const char* __ubsan_default_options() { return PP_OPTIONS; }
extern "C" const char* __tsan_default_options() { return PP_OPTIONS; }
