/* The program: the words of the command line, and the daemon when there is none. */
#include <signal.h>

#include "cli.h"
#include "daemon.h"

int main(int argc, char **argv)
{
    signal(SIGHUP, SIG_IGN); /* one that comes before the daemon listens must not end it */
    return cli_main(argc, argv, daemon_run);
}
