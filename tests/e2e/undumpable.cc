// A program that nobody of its user may look into, as one is that has changed its user: says "up", then each line that it reads.
#include <sys/prctl.h>

#include <cstdio>

int main() {
    ::prctl(PR_SET_DUMPABLE, 0);
    std::puts("up");
    std::fflush(stdout);
    char line[256];
    while (std::fgets(line, sizeof line, stdin) != nullptr) {
        std::fputs(line, stdout);
        std::fflush(stdout);
    }
    return 5;
}
