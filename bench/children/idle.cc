#include <unistd.h>

// idle [ANYTHING]: does nothing until a signal ends it. The word tells one from another.
int main() {
    while (true) ::pause();
}
