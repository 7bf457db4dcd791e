/* See process.h. */
#include "process.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

double process_resident_bytes(void)
{
    char text[128] = "";
    long long pages = 0;
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        if (read(fd, text, sizeof(text) - 1) <= 0 || sscanf(text, "%*d %lld", &pages) != 1)
            pages = 0;
        close(fd);
    }
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

double process_cpu_seconds(void)
{
    struct rusage used;
    if (getrusage(RUSAGE_SELF, &used) != 0)
        return 0;
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}
