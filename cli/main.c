#include "commands.h"

#include "file.h"
#include "json_memory.h"

#include <signal.h>

int main(int argc, char **argv) {
    tn_descriptors_fill();    /* before anything is opened */
    signal(SIGPIPE, SIG_IGN); /* a closed pipe shows up as a failed write, with a message */
    signal(SIGXFSZ, SIG_IGN); /* so does a file beyond the limit */
    tn_interrupt_install();
    tn_json_memory_watch();
    return tn_program_run(argc, argv);
}
