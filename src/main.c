/* The program: the words of the command line, and the daemon when there is none. */
#include "cli.h"
#include "daemon.h"

int main(int argc, char **argv)
{
    return cli_main(argc, argv, daemon_run);
}
