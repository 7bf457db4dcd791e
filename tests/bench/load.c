/* The load: N chargers on bare sockets in one epoll loop, one CALL outstanding each.
 *
 *     load PORT CHARGERS SECONDS heartbeat|session
 *
 * Each charger upgrades, boots, then repeats its scenario until the time is over; prints one line
 * `messages=… seconds=… rate=… p50_us=… p99_us=… errors=…`. A client of the benches, not a test. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <netinet/tcp.h>
#include <time.h>
#include <unistd.h>

enum { IN_MAX = 2048, SAMPLES_MAX = 1 << 22, SESSION_STEPS = 10 };

struct charger {
    int fd, number, step;
    bool upgraded, booted;
    int64_t transaction, sent_us, meter, clock;
    char in[IN_MAX];
    size_t have;
};

static struct {
    int port, chargers, seconds;
    bool session;
    int epoll;
    uint64_t messages, errors;
    uint32_t *samples;
    size_t sample_count;
    bool counting;
} load;

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000ll + t.tv_nsec / 1000;
}

static void send_all(struct charger *c, const char *data, size_t len)
{
    if (send(c->fd, data, len, MSG_NOSIGNAL) != (ssize_t)len)
        load.errors++;
}

static void send_text(struct charger *c, const char *text, size_t len)
{
    char frame[IN_MAX];
    size_t head = len < 126 ? 6 : 8;
    frame[0] = (char)0x81;
    if (len < 126) {
        frame[1] = (char)(0x80 | len);
    } else {
        frame[1] = (char)(0x80 | 126);
        frame[2] = (char)(len >> 8);
        frame[3] = (char)len;
    }
    memset(frame + head - 4, 0, 4); /* a mask of zeros: the text goes out as it is */
    memcpy(frame + head, text, len);
    c->sent_us = now_us();
    send_all(c, frame, head + len);
}

static void stamp(struct charger *c, char *out, size_t size)
{
    int64_t t = c->clock++;
    snprintf(out, size, "2026-%02d-%02dT%02d:%02d:%02dZ", (int)(1 + t / 2419200 % 12),
             (int)(1 + t / 86400 % 28), (int)(t / 3600 % 24), (int)(t / 60 % 60), (int)(t % 60));
}

static int meter_values(struct charger *c, char *out, size_t size, const char *at)
{
    c->meter += 500;
    return snprintf(
        out, size,
        "[2,\"%" PRId64 "\",\"MeterValues\",{\"connectorId\":1,\"transactionId\":%" PRId64
        ",\"meterValue\":[{\"timestamp\":\"%s\",\"sampledValue\":["
        "{\"value\":\"%" PRId64 ".%03d\",\"context\":\"Sample.Periodic\",\"format\":\"Raw\","
        "\"measurand\":\"Energy.Active.Import.Register\",\"location\":\"Body\",\"unit\":\"kWh\"},"
        "{\"value\":\"59.4\",\"context\":\"Sample.Periodic\",\"measurand\":\"Power.Active.Import\","
        "\"location\":\"Outlet\",\"unit\":\"kW\"},"
        "{\"value\":\"148.2\",\"measurand\":\"Current.Import\",\"location\":\"Outlet\",\"unit\":"
        "\"A\"},"
        "{\"value\":\"401.1\",\"measurand\":\"Voltage\",\"location\":\"Outlet\",\"unit\":\"V\"},"
        "{\"value\":\"41\",\"measurand\":\"SoC\",\"location\":\"EV\",\"unit\":\"Percent\"},"
        "{\"value\":\"38\",\"measurand\":\"Temperature\",\"location\":\"Body\",\"unit\":"
        "\"Celsius\"}]}]}]",
        c->clock, c->transaction, at, c->meter / 1000, (int)(c->meter % 1000));
}

/* Authorize, Start, two statuses, five MeterValues, Stop. */
static int session_step(struct charger *c, char *out, size_t size)
{
    char at[32];
    stamp(c, at, sizeof(at));
    switch (c->step) {
    case 0:
        return snprintf(out, size, "[2,\"%" PRId64 "\",\"Authorize\",{\"idTag\":\"LOAD%05d\"}]",
                        c->clock, c->number);
    case 1:
        return snprintf(out, size,
                        "[2,\"%" PRId64 "\",\"StartTransaction\",{\"connectorId\":1,\"idTag\":"
                        "\"LOAD%05d\",\"meterStart\":%" PRId64 ",\"timestamp\":\"%s\"}]",
                        c->clock, c->number, c->meter, at);
    case 2:
    case 8:
        return snprintf(out, size,
                        "[2,\"%" PRId64
                        "\",\"StatusNotification\",{\"connectorId\":1,\"errorCode\":"
                        "\"NoError\",\"status\":\"%s\",\"timestamp\":\"%s\"}]",
                        c->clock, c->step == 2 ? "Charging" : "Finishing", at);
    case 9:
        return snprintf(out, size,
                        "[2,\"%" PRId64 "\",\"StopTransaction\",{\"transactionId\":%" PRId64
                        ",\"meterStop\":%" PRId64 ",\"timestamp\":\"%s\",\"reason\":\"Local\"}]",
                        c->clock, c->transaction, c->meter, at);
    default:
        return meter_values(c, out, size, at);
    }
}

static void send_next(struct charger *c)
{
    char text[IN_MAX - 16];
    int len;
    if (!c->booted)
        len = snprintf(text, sizeof(text),
                       "[2,\"b\",\"BootNotification\",{\"chargePointVendor\":"
                       "\"Bench\",\"chargePointModel\":\"Load\"}]");
    else if (load.session)
        len = session_step(c, text, sizeof(text));
    else
        len = snprintf(text, sizeof(text), "[2,\"%" PRId64 "\",\"Heartbeat\",{}]", ++c->clock);
    send_text(c, text, (size_t)len);
}

static void answered(struct charger *c, const char *text)
{
    const char *id = strstr(text, "\"transactionId\":");
    if (text[1] != '3') {
        load.errors++;
        fprintf(stderr, "%s\n", text);
    }
    if (id)
        c->transaction = strtoll(id + strlen("\"transactionId\":"), NULL, 10);
    if (load.counting) {
        load.messages++;
        if (load.sample_count < SAMPLES_MAX)
            load.samples[load.sample_count++] = (uint32_t)(now_us() - c->sent_us);
    }
    if (c->booted)
        c->step = (c->step + 1) % SESSION_STEPS;
    c->booted = true;
    send_next(c);
}

/* Takes what is whole off the input: the handshake answer, then frames below 64 KiB. */
static bool take(struct charger *c)
{
    unsigned char *in = (unsigned char *)c->in;
    size_t used = 0;
    if (!c->upgraded) {
        char *end = memmem(c->in, c->have, "\r\n\r\n", 4);
        if (!end)
            return false;
        c->upgraded = true;
        used = (size_t)(end + 4 - c->in);
        load.errors += strncmp(c->in, "HTTP/1.1 101", 12) != 0;
        send_next(c);
    } else {
        size_t head = 2, len = c->have >= 2 ? in[1] & 0x7f : 0;
        if (len == 126) {
            head = 4;
            len = c->have >= 4 ? (size_t)in[2] << 8 | in[3] : IN_MAX;
        }
        if (c->have < head + len)
            return false;
        used = head + len;
        if ((in[0] & 0x0f) == 1) {
            char text[IN_MAX];
            memcpy(text, c->in + head, len);
            text[len] = '\0';
            answered(c, text);
        }
    }
    memmove(c->in, c->in + used, c->have - used);
    c->have -= used;
    return true;
}

static void readable(struct charger *c)
{
    ssize_t n = recv(c->fd, c->in + c->have, IN_MAX - c->have, MSG_DONTWAIT);
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN) {
            load.errors++;
            epoll_ctl(load.epoll, EPOLL_CTL_DEL, c->fd, NULL);
        }
        return;
    }
    c->have += (size_t)n;
    while (c->have && take(c))
        continue;
}

static void connect_one(struct charger *c, int number)
{
    char head[512];
    int on = 1;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)load.port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *c = (struct charger){
        .fd = socket(AF_INET, SOCK_STREAM, 0), .number = number, .meter = 1000, .clock = number};
    if (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
        perror("connect");
        exit(1);
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    int len = snprintf(head, sizeof(head),
                       "GET /ocpp/LOAD%05d HTTP/1.1\r\nHost: l\r\nUpgrade: websocket\r\n"
                       "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                       "Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n",
                       number);
    send_all(c, head, (size_t)len);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(load.epoll, EPOLL_CTL_ADD, c->fd, &event);
}

static void turn(int wait_ms)
{
    struct epoll_event events[256];
    int n = epoll_wait(load.epoll, events, 256, wait_ms);
    for (int i = 0; i < n; i++)
        readable(events[i].data.ptr);
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void report(double seconds)
{
    size_t n = load.sample_count;
    qsort(load.samples, n, sizeof(*load.samples), by_value);
    printf("messages=%" PRIu64 " seconds=%.2f rate=%.0f p50_us=%u p99_us=%u errors=%" PRIu64 "\n",
           load.messages, seconds, (double)load.messages / seconds, n ? load.samples[n / 2] : 0,
           n ? load.samples[n - 1 - n / 100] : 0, load.errors);
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: load PORT CHARGERS SECONDS heartbeat|session\n");
        return 2;
    }
    load.port = (int)strtol(argv[1], NULL, 10);
    load.chargers = (int)strtol(argv[2], NULL, 10);
    load.seconds = (int)strtol(argv[3], NULL, 10);
    load.session = strcmp(argv[4], "session") == 0;
    load.epoll = epoll_create1(0);
    load.samples = calloc(SAMPLES_MAX, sizeof(*load.samples));
    struct charger *chargers = calloc((size_t)load.chargers, sizeof(*chargers));
    for (int i = 0; i < load.chargers; i++) {
        connect_one(&chargers[i], i);
        turn(0);
    }
    int64_t warm = now_us() + 1000000;
    while (now_us() < warm)
        turn(10);
    load.counting = true;
    int64_t begun = now_us(), end = begun + load.seconds * 1000000ll;
    while (now_us() < end)
        turn(10);
    report((double)(now_us() - begun) / 1e6);
    free(chargers);
    free(load.samples);
    return load.errors ? 1 : 0;
}
