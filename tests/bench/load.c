/* The load: N chargers on raw non-blocking sockets in one epoll loop, one CALL outstanding each.
 *
 *     load PORT CHARGERS SECONDS heartbeat|session|idle|reconnect [CARD] [RATE]
 *
 * All connect and boot; then `ready` is printed and the scenario runs for SECONDS:
 *   heartbeat, session   the next CALL as soon as the last was answered, or RATE a second in all
 *   idle                 nothing; whoever measures memory does it now
 *   reconnect            all drop at once, come back and boot; SECONDS is the limit
 * The last line is `messages=… seconds=… rate=… p50_us=… p99_us=… start_p99_us=… refused=…
 * errors=…`. Not a conformance test: it reads answers only as far as scenario.c does. Start at
 * main. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "scenario.h"

enum {
    IN_MAX = 4096,
    SAMPLES_MAX = 1 << 22,
    CONNECTING_MAX = 128, /* at once while the fleet is set up; a storm knows no limit */
    SETUP_LIMIT_S = 60,
    ERRORS_SHOWN = 5
};

enum phase { PHASE_SETUP, PHASE_QUIET, PHASE_RUN };
enum state { CLOSED, CONNECTING, UPGRADING, OPEN };

struct charger {
    int fd;
    enum state state;
    struct speaker speaker;
    int64_t sent_us; /* its last CALL; in a storm, when it began to connect */
    size_t have;
    char in[IN_MAX];
};

struct samples {
    uint32_t *us;
    size_t count;
};

static struct {
    struct sockaddr_in server;
    struct charger *chargers;
    unsigned count, begun, ready; /* chargers in all, told to connect, booted */
    struct charger **waiting;     /* a ring: whose turn it is at a fixed rate */
    unsigned waiting_first, waiting_count;
    enum phase phase;
    enum script script;
    bool storm;
    int64_t rate;
    int epoll;
    uint64_t messages, refused, errors;
    struct samples all, starts;
} load;

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000ll + t.tv_nsec / 1000;
}

static void sample(struct samples *samples, int64_t since_us)
{
    if (samples->count < SAMPLES_MAX)
        samples->us[samples->count++] = (uint32_t)(now_us() - since_us);
}

static void charger_close(struct charger *c)
{
    close(c->fd);
    c->state = CLOSED;
    c->have = 0;
}

static void charger_fail(struct charger *c, const char *why)
{
    if (load.errors++ < ERRORS_SHOWN)
        fprintf(stderr, "load: charger %u: %s\n", c->speaker.number, why);
    if (c->state != CLOSED)
        charger_close(c);
}

static void send_bytes(struct charger *c, const char *bytes, size_t len)
{
    if (send(c->fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
        charger_fail(c, "cannot send");
}

static void send_frame(struct charger *c, int opcode, const char *text, size_t len)
{
    char frame[TEXT_MAX + 8];
    size_t head = len < 126 ? 6 : 8;
    frame[0] = (char)(0x80 | opcode);
    frame[1] = (char)(0x80 | (len < 126 ? len : 126));
    if (len >= 126) {
        frame[2] = (char)(len >> 8);
        frame[3] = (char)len;
    }
    memset(frame + head - 4, 0, 4); /* a mask of zeros: the text goes out as it is */
    memcpy(frame + head, text, len);
    send_bytes(c, frame, head + len);
}

static void send_call(struct charger *c)
{
    char text[TEXT_MAX];
    size_t len = speaker_text(&c->speaker, load.script, text);
    if (!load.storm)
        c->sent_us = now_us();
    send_frame(c, 1, text, len);
}

/* The charger may speak: at once, or when the rate has room. */
static void charger_turn(struct charger *c)
{
    if (load.phase == PHASE_RUN && load.rate == 0 && !load.storm)
        send_call(c);
    else if (!load.storm)
        load.waiting[(load.waiting_first + load.waiting_count++) % load.count] = c;
}

static void heard_answer(struct charger *c, const char *text)
{
    bool starts = speaker_starts(&c->speaker, load.script), boots = !c->speaker.booted;
    enum heard heard = speaker_hear(&c->speaker, load.script, text);
    if (heard == HEARD_NONSENSE) {
        charger_fail(c, text);
        return;
    }
    load.ready += boots;
    if (load.phase == PHASE_RUN) {
        load.messages++;
        load.refused += heard == HEARD_REFUSAL;
        sample(&load.all, c->sent_us);
        if (starts)
            sample(&load.starts, c->sent_us);
    }
    charger_turn(c);
}

static void heard_text(struct charger *c, const char *text)
{
    char answer[64];
    if (strncmp(text, "[2,\"", 4) != 0) {
        heard_answer(c, text);
        return;
    }
    int len = snprintf(answer, sizeof(answer), "[4,\"%.*s\",\"NotSupported\",\"\",{}]",
                       (int)strcspn(text + 4, "\""), text + 4);
    if (len < (int)sizeof(answer))
        send_frame(c, 1, answer, (size_t)len);
}

/* Takes the handshake's answer off the input; how many bytes it had, 0 = not all there. */
static size_t take_upgrade(struct charger *c)
{
    const char *end = memmem(c->in, c->have, "\r\n\r\n", 4);
    if (!end)
        return 0;
    size_t used = (size_t)(end + 4 - c->in);
    if (memcmp(c->in + 8, " 101", 4) != 0) {
        charger_fail(c, "no upgrade");
        return used;
    }
    c->state = OPEN;
    send_call(c);
    return used;
}

static size_t take_frame(struct charger *c)
{
    const unsigned char *in = (const unsigned char *)c->in;
    if (c->have < 4)
        return 0;
    size_t head = in[1] < 126 ? 2 : 4;
    size_t len = in[1] < 126 ? in[1] : (size_t)in[2] << 8 | in[3];
    if (in[1] > 126 || head + len >= IN_MAX) {
        charger_fail(c, "a frame that is too long");
        return 0;
    }
    if (c->have < head + len)
        return 0;
    char kept = c->in[head + len];
    c->in[head + len] = '\0';
    if ((in[0] & 0x0f) == 1)
        heard_text(c, c->in + head);
    else if ((in[0] & 0x0f) == 9)
        send_frame(c, 10, c->in + head, len);
    else if ((in[0] & 0x0f) == 8)
        charger_fail(c, "closed by the server");
    c->in[head + len] = kept;
    return head + len;
}

static void charger_read(struct charger *c)
{
    ssize_t n = recv(c->fd, c->in + c->have, IN_MAX - 1 - c->have, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        charger_fail(c, n == 0 ? "end of file" : strerror(errno));
        return;
    }
    c->have += (size_t)n;
    size_t used = 0, taken = 1;
    while (taken > 0 && c->have > 0) {
        taken = c->state == UPGRADING ? take_upgrade(c) : take_frame(c);
        if (c->state == CLOSED)
            return;
        used = taken;
        c->have -= used;
        if (used > 0 && c->have > 0)
            memmove(c->in, c->in + used, c->have);
    }
}

static void charger_connected(struct charger *c)
{
    char head[320];
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    int error = 0;
    socklen_t size = sizeof(error);
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
        charger_fail(c, strerror(error));
        return;
    }
    epoll_ctl(load.epoll, EPOLL_CTL_MOD, c->fd, &event);
    int len = snprintf(head, sizeof(head),
                       "GET /ocpp/LOAD%05u HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\n"
                       "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                       "Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n",
                       c->speaker.number);
    c->state = UPGRADING;
    send_bytes(c, head, (size_t)len);
}

static void charger_connect(struct charger *c)
{
    int on = 1;
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = c};
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    c->state = CONNECTING;
    c->speaker.booted = false;
    c->sent_us = now_us();
    load.begun++;
    if (c->fd < 0 || (connect(c->fd, (struct sockaddr *)&load.server, sizeof(load.server)) != 0 &&
                      errno != EINPROGRESS)) {
        charger_fail(c, strerror(errno));
        return;
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    epoll_ctl(load.epoll, EPOLL_CTL_ADD, c->fd, &event);
}

static void turn(int wait_us)
{
    struct epoll_event events[256];
    struct timespec wait = {.tv_nsec = wait_us * 1000l};
    int n = epoll_pwait2(load.epoll, events, 256, &wait, NULL);
    for (int i = 0; i < n; i++) {
        struct charger *c = events[i].data.ptr;
        if (c->state == CONNECTING)
            charger_connected(c);
        else if (c->state != CLOSED)
            charger_read(c);
    }
}

/* Connects and boots all; false when some did not make it. */
static bool fleet_arrives(unsigned at_once, int64_t limit_s)
{
    int64_t end = now_us() + limit_s * 1000000;
    load.begun = load.ready = 0;
    while (load.ready < load.count && load.errors == 0 && now_us() < end) {
        while (load.begun < load.count && load.begun - load.ready < at_once)
            charger_connect(&load.chargers[load.begun]);
        turn(1000);
    }
    load.errors += load.ready < load.count && load.errors == 0;
    return load.errors == 0;
}

static void run_for(int64_t microseconds)
{
    int64_t begun = now_us(), end = begun + microseconds, sent = 0;
    while (now_us() < end) {
        int64_t due = load.rate == 0 ? INT64_MAX : (now_us() - begun) * load.rate / 1000000;
        while (load.phase == PHASE_RUN && load.waiting_count > 0 && sent < due) {
            struct charger *c = load.waiting[load.waiting_first];
            load.waiting_first = (load.waiting_first + 1) % load.count;
            load.waiting_count--;
            send_call(c);
            sent++;
        }
        turn(load.rate == 0 ? 10000 : 200);
    }
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint32_t percentile(struct samples *samples, unsigned percent)
{
    qsort(samples->us, samples->count, sizeof(*samples->us), by_value);
    return samples->count == 0 ? 0 : samples->us[(samples->count - 1) * percent / 100];
}

static int report(int64_t began_us)
{
    double seconds = (double)(now_us() - began_us) / 1e6;
    uint32_t p50 = percentile(&load.all, 50), p99 = percentile(&load.all, 99);
    printf("messages=%" PRIu64 " seconds=%.3f rate=%.0f p50_us=%u p99_us=%u start_p99_us=%u "
           "refused=%" PRIu64 " errors=%" PRIu64 "\n",
           load.messages, seconds, (double)load.messages / seconds, p50, p99,
           percentile(&load.starts, 99), load.refused, load.errors);
    return load.errors > 0;
}

static void set_up(char **argv)
{
    struct rlimit limit;
    load.server = (struct sockaddr_in){.sin_family = AF_INET,
                                       .sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10)),
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    load.count = (unsigned)strtoul(argv[2], NULL, 10);
    load.script = strcmp(argv[4], "session") == 0 ? SCRIPT_SESSION : SCRIPT_HEARTBEAT;
    load.chargers = calloc(load.count, sizeof(*load.chargers));
    load.waiting = calloc(load.count, sizeof(struct charger *));
    load.all.us = calloc(SAMPLES_MAX, sizeof(uint32_t));
    load.starts.us = calloc(SAMPLES_MAX, sizeof(uint32_t));
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; i < load.count; i++)
        load.chargers[i].speaker = (struct speaker){.number = i, .meter_wh = 100000};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv)
{
    if (argc < 5 || strtoul(argv[2], NULL, 10) == 0) {
        fprintf(stderr, "usage: load PORT CHARGERS SECONDS heartbeat|session|idle|reconnect "
                        "[CARD] [RATE]\n");
        return 2;
    }
    int64_t seconds = strtoll(argv[3], NULL, 10);
    set_up(argv);
    if (argc > 5)
        scenario_card = argv[5];
    if (argc > 6)
        load.rate = strtoll(argv[6], NULL, 10);
    bool idle = strcmp(argv[4], "idle") == 0;
    load.storm = strcmp(argv[4], "reconnect") == 0;
    if (!fleet_arrives(CONNECTING_MAX, SETUP_LIMIT_S))
        return report(now_us());
    load.phase = PHASE_QUIET;
    run_for(500000);
    printf("ready\n");
    fflush(stdout);
    load.phase = idle ? PHASE_QUIET : PHASE_RUN;
    int64_t began = now_us();
    if (load.storm) {
        for (unsigned i = 0; i < load.count; i++)
            charger_close(&load.chargers[i]);
        fleet_arrives(load.count, seconds);
    } else {
        run_for(seconds * 1000000);
    }
    return report(began);
}
