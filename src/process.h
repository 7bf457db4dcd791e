/* What the system says of this process, for /metrics. */
#ifndef PROCESS_H
#define PROCESS_H

double process_resident_bytes(void); /* 0 if it cannot be told */
double process_cpu_seconds(void);

#endif
