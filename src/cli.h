/* The words of the command line.
 *
 *     chargebridge [options]                  runs the server
 *     chargebridge check [DIR]                configuration and policies: all problems at once
 *     chargebridge keys add NAME --scope S    makes an API key and prints it, once
 *     chargebridge keys list | revoke NAME
 *     chargebridge tags import | export FILE  tags into and out of the running server
 *     chargebridge api [--manual]             the Lua API: editor types, or the manual
 *     chargebridge example-conf | version | help
 *
 * Exit status: 0 ok, 1 refused, 2 usage. Answers go to stdout, errors to stderr. */
#ifndef CLI_H
#define CLI_H

#include "conf.h"

/* `serve` runs the server; the conf is complete and checked. */
int cli_main(int argc, char **argv, int (*serve)(struct conf *conf));

#endif
