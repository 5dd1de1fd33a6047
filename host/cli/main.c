#include "commands.h"

#include <signal.h>

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN); /* a closed pipe shows up as a failed write, with a message */
    tn_interrupt_install();
    return tn_program_run(argc, argv);
}
