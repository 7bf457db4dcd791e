/* Tells the service manager how we are: the sd_notify protocol, without its library.
 *
 * Datagrams to $NOTIFY_SOCKET (a path, or `@name` in the abstract namespace); nothing without it.
 */
#ifndef NOTIFY_H
#define NOTIFY_H

void notify_ready(void); /* started, or done reloading */
void notify_reloading(void);
void notify_stopping(void);

#endif
