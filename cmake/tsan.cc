/// ThreadSanitizer sees no locks inside libraries that were built without it: what they do to memory is not counted.
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() {
    return "called_from_lib:libzmq.so\n"
           "called_from_lib:libsqlite3.so\n";
}
