/* Firmware updates and log uploads of the simulated charger, over real HTTP (W1, W2).
 *
 * Two jobs at most, one of each sort; a new one cancels the old one of its sort. A firmware job:
 * wait until retrieveDate, Downloading, Downloaded, (SignatureVerified), wait until no session runs
 * and for installDateTime, Installing, reboot, Installed. A log job: Uploading, Uploaded. Each
 * transfer is tried 1 + `retries` times, `retryInterval` seconds apart. Every step sends the status
 * notification of its command, each of which has its own words: see `kinds`. Statuses that cannot
 * be sent wait for the next accepted boot, because the last one is what counts.
 *
 * What is checked of a firmware: that it is not empty; that the signing certificate is PEM (the
 * word REVOKED in it makes it revoked) and the signature base64. Its file name without ending is
 * the new firmwareVersion. Start reading at on_step(). */
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/timetext.h"
#include "sim/place.h"

enum {
    TRANSFER_TIMEOUT_MS = 5 * 60 * 1000,
    INSTALLING_MS = 3000,
    BUSY_AGAIN_MS = 5000,
    DARK_AGAIN_MS = 1000,
    RETRY_DEFAULT_S = 60,
    RETRIES_MAX = 100,
    RETRY_MAX_S = 86400,
    FIRMWARE_SIZE_MAX = 256 * 1024 * 1024
};

enum job_kind { KIND_FIRMWARE, KIND_SIGNED, KIND_DIAGNOSTICS, KIND_LOG };

static const struct {
    const char *action; /* of its notifications */
    const char *fails;  /* its word for a transfer that failed */
    bool has_request;
} kinds[] = {
    [KIND_FIRMWARE] = {"FirmwareStatusNotification", "DownloadFailed", false},
    [KIND_SIGNED] = {"SignedFirmwareStatusNotification", "DownloadFailed", true},
    [KIND_DIAGNOSTICS] = {"DiagnosticsStatusNotification", "UploadFailed", false},
    [KIND_LOG] = {"LogStatusNotification", "UploadFailure", true},
};

enum job_step { /* what happens when the job's timer fires */
                STEP_NONE,
                STEP_TRANSFER,
                STEP_VERIFY,
                STEP_INSTALL,
                STEP_REBOOT,
                STEP_REBOOTED /* by job_accepted() */
};

struct job {
    struct charger *charger;
    enum job_kind kind;
    enum job_step step;
    struct arena arena; /* of the texts */
    const char *location, *signature, *log_kind;
    const char *path; /* firmware: where it goes, a temporary file */
    int64_t request_id, retries, retry_s;
    wall_t install_at, from, to;
    uint64_t transfer;  /* of http_client; 0 none */
    const char *status; /* last told; NULL = Idle */
    bool untold;        /* it could not be sent */
    struct timer timer;
};

struct job_book {
    struct job firmware, upload;
};

static bool active(const struct job *job)
{
    return job->step != STEP_NONE;
}

static void plan(struct job *job, enum job_step step, int64_t wait_ms)
{
    job->step = step;
    timer_start(job->charger->timers, &job->timer, wait_ms);
}

/* ---- telling ---- */

static void send_status(struct charger *charger, enum job_kind kind, const char *status,
                        int64_t request_id)
{
    struct strbuf payload = {0};
    struct json_out out = {.to = &payload};
    json_open(&out, '{');
    json_key(&out, "status");
    json_put_string(&out, status);
    if (kinds[kind].has_request && !text_is(status, "Idle")) {
        json_key(&out, "requestId");
        json_put_int(&out, request_id);
    }
    json_close(&out, '}');
    charger_call(charger, kinds[kind].action, strbuf_take(&payload, NULL));
}

static void tell(struct job *job, const char *status)
{
    job->status = status;
    job->untold = !charger_may_send(job->charger);
    if (!job->untold)
        send_status(job->charger, job->kind, status, job->request_id);
}

/* The end: nothing is left but the last status. */
static void end(struct job *job, const char *status)
{
    if (job->path)
        unlink(job->path);
    job->path = NULL;
    job->step = STEP_NONE;
    timer_stop(job->charger->timers, &job->timer);
    tell(job, status);
}

static void cancel(struct job *job)
{
    timer_stop(job->charger->timers, &job->timer);
    if (job->transfer)
        http_client_cancel(job->charger->http, job->transfer);
    if (job->path)
        unlink(job->path);
    job->path = NULL;
    job->transfer = 0;
    job->step = STEP_NONE;
    job->untold = false;
    arena_clear(&job->arena);
}

/* C10: Idle unless something is going on. */
void job_send_status(struct charger *charger, const char *action)
{
    const struct job *jobs[] = {&charger->jobs->firmware, &charger->jobs->upload};
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        if (!text_is(kinds[k].action, action))
            continue;
        const struct job *job = jobs[k >= KIND_DIAGNOSTICS];
        bool going = active(job) && job->kind == k && job->status;
        send_status(charger, (enum job_kind)k, going ? job->status : "Idle", job->request_id);
    }
}

/* ---- transfers ---- */

static bool is_http(const char *location)
{
    return !strncmp(location, "http://", 7) || !strncmp(location, "https://", 8);
}

static void failed(struct job *job, const char *status)
{
    if (job->retries > 0) {
        job->retries--;
        plan(job, STEP_TRANSFER, job->retry_s * 1000);
        return;
    }
    end(job, status);
}

static bool succeeded(const struct http_transferred *what)
{
    return !what->error && what->status >= 200 && what->status < 300;
}

static void on_downloaded(void *ctx, const struct http_transferred *what)
{
    struct job *job = ctx;
    job->transfer = 0;
    if (!succeeded(what)) {
        failed(job, kinds[job->kind].fails);
        return;
    }
    tell(job, "Downloaded");
    plan(job, STEP_VERIFY, 0);
}

/* W2 has words for some refusals. */
static const char *upload_failure(const struct job *job, int status)
{
    if (job->kind == KIND_LOG && (status == 401 || status == 403))
        return "PermissionDenied";
    if (job->kind == KIND_LOG && status == 400)
        return "BadMessage";
    return kinds[job->kind].fails;
}

static void on_uploaded(void *ctx, const struct http_transferred *what)
{
    struct job *job = ctx;
    job->transfer = 0;
    if (succeeded(what))
        end(job, "Uploaded");
    else
        failed(job, upload_failure(job, what->status));
}

/* W4: the location may hold credentials and is not logged. */
static void start_transfer(struct job *job, const struct http_transfer *transfer,
                           http_transfer_done done)
{
    struct reason why = {""};
    job->transfer =
        job->charger->http ? http_client_start(job->charger->http, transfer, done, job, &why) : 0;
    if (!job->transfer)
        failed(job, kinds[job->kind].fails);
}

static void download(struct job *job)
{
    if (!job->path) {
        char *path = arena_strdup(&job->arena, "/tmp/chargebridge-sim-XXXXXX");
        int fd = mkstemp(path);
        if (fd < 0) {
            failed(job, kinds[job->kind].fails);
            return;
        }
        close(fd);
        job->path = path;
    }
    struct http_transfer transfer = {.method = "GET",
                                     .url = job->location,
                                     .download_path = job->path,
                                     .timeout_ms = TRANSFER_TIMEOUT_MS,
                                     .max_body = FIRMWARE_SIZE_MAX};
    tell(job, "Downloading");
    start_transfer(job, &transfer, on_downloaded);
}

static void upload(struct job *job)
{
    struct strbuf log = {0};
    static const char *const headers[] = {"Content-Type: text/plain", NULL};
    if (!is_http(job->location) && job->kind == KIND_LOG) {
        end(job, "NotSupportedOperation");
        return;
    }
    job_write_log(job->charger, job->log_kind, job->from, job->to, &log);
    struct http_transfer transfer = {.method = "PUT",
                                     .url = job->location,
                                     .headers = headers,
                                     .body = {strbuf_text(&log), log.len},
                                     .timeout_ms = TRANSFER_TIMEOUT_MS,
                                     .max_body = 64 * 1024};
    tell(job, "Uploading");
    start_transfer(job, &transfer, on_uploaded);
    strbuf_clear(&log);
}

/* ---- installing ---- */

static void verify(struct job *job)
{
    struct strbuf signature = {0};
    if (job->kind == KIND_SIGNED) {
        bool valid = base64_decode(span_trim(span_of(job->signature)), &signature);
        valid = valid && signature.len > 0;
        strbuf_clear(&signature);
        if (!valid) {
            end(job, "InvalidSignature");
            security_event(job->charger, "InvalidFirmwareSignature", NULL);
            return;
        }
        tell(job, "SignatureVerified");
        if (job->install_at > wall_now())
            tell(job, "InstallScheduled");
    }
    int64_t wait = job->install_at - wall_now();
    plan(job, STEP_INSTALL, wait > 0 ? wait : 0);
}

/* Cars come first: it waits until none charges. */
static void install(struct job *job)
{
    if (sessions_any(job->charger)) {
        plan(job, STEP_INSTALL, BUSY_AGAIN_MS);
        return;
    }
    tell(job, "Installing");
    plan(job, STEP_REBOOT, INSTALLING_MS);
}

static void take_version(struct job *job)
{
    struct span rest = span_of(job->location), piece, name = SPAN("");
    struct span query = rest;
    span_cut(&query, '?', &rest);
    while (rest.at && span_cut(&rest, '/', &piece))
        name = piece;
    for (size_t i = name.len; i-- > 1;) {
        if (name.at[i] != '.')
            continue;
        name.len = i;
        break;
    }
    char version[51]; /* as BootNotification allows it */
    text_copy(version, sizeof(version), name);
    if (version[0])
        job->charger->settings.firmware = arena_strdup(&job->charger->arena, version);
}

/* No file, an empty one, or one that begins with BROKEN: for trying what follows from that. */
static bool is_broken(const char *path)
{
    char head[6];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, head, sizeof(head)) : -1;
    if (fd >= 0)
        close(fd);
    return len <= 0 || (len == sizeof(head) && memcmp(head, "BROKEN", sizeof(head)) == 0);
}

static void reboot(struct job *job)
{
    if (is_broken(job->path)) {
        end(job, "InstallationFailed");
        return;
    }
    if (job->kind == KIND_SIGNED)
        tell(job, "InstallRebooting");
    take_version(job);
    job->step = STEP_REBOOTED;
    charger_reset(job->charger, true);
}

/* A transfer breaks off and begins anew when the power is back. */
void job_power_lost(struct charger *charger)
{
    struct job *jobs[] = {&charger->jobs->firmware, &charger->jobs->upload};
    for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
        if (!jobs[i]->transfer)
            continue;
        http_client_cancel(charger->http, jobs[i]->transfer);
        jobs[i]->transfer = 0;
        plan(jobs[i], STEP_TRANSFER, DARK_AGAIN_MS);
    }
}

static void on_step(struct timer *timer)
{
    struct job *job = CONTAINER_OF(timer, struct job, timer);
    if (job->charger->dark) {
        plan(job, job->step, DARK_AGAIN_MS);
        return;
    }
    bool firmware = job->kind == KIND_FIRMWARE || job->kind == KIND_SIGNED;
    if (job->step == STEP_TRANSFER && firmware)
        download(job);
    else if (job->step == STEP_TRANSFER)
        upload(job);
    else if (job->step == STEP_VERIFY)
        verify(job);
    else if (job->step == STEP_INSTALL)
        install(job);
    else if (job->step == STEP_REBOOT)
        reboot(job);
}

void job_accepted(struct charger *charger)
{
    struct job *jobs[] = {&charger->jobs->firmware, &charger->jobs->upload};
    for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
        if (jobs[i]->step == STEP_REBOOTED) {
            end(jobs[i], "Installed");
            security_event(charger, "FirmwareUpdated", charger->settings.firmware);
        } else if (jobs[i]->untold) {
            tell(jobs[i], jobs[i]->status);
        }
    }
}

/* ---- the commands ---- */

static int64_t bounded(const struct json *object, const char *key, int64_t fallback, int64_t most)
{
    int64_t value = fallback;
    json_int(json_get(object, key), &value);
    return value < 0 ? 0 : value > most ? most : value;
}

static wall_t time_of(const struct json *object, const char *key, wall_t fallback)
{
    wall_t at;
    const char *text = json_gets(object, key);
    return text && timetext_parse(span_of(text), 0, &at) ? at : fallback;
}

/* True: an older one was dropped. */
static bool begin(struct job *job, enum job_kind kind, const struct json *request,
                  const char *location, wall_t at)
{
    bool dropped = active(job);
    cancel(job);
    job->kind = kind;
    job->status = NULL;
    job->location = arena_strdup(&job->arena, location);
    job->retries = bounded(request, "retries", 0, RETRIES_MAX);
    job->retry_s = bounded(request, "retryInterval", RETRY_DEFAULT_S, RETRY_MAX_S);
    job->request_id = 0;
    json_int(json_get(request, "requestId"), &job->request_id);
    job->install_at = 0;
    job->signature = NULL;
    plan(job, STEP_TRANSFER, at > wall_now() ? at - wall_now() : 0);
    return dropped;
}

enum ocpp_error answer_update_firmware(struct charger *charger, const struct json *request,
                                       struct json_out *out)
{
    begin(&charger->jobs->firmware, KIND_FIRMWARE, request, json_gets(request, "location"),
          time_of(request, "retrieveDate", 0));
    json_open(out, '{');
    json_close(out, '}');
    return OCPP_OK;
}

static void put_status(struct json_out *out, const char *status, const char *filename)
{
    json_open(out, '{');
    json_key(out, "status");
    json_put_string(out, status);
    if (filename) {
        json_key(out, "filename");
        json_put_string(out, filename);
    }
    json_close(out, '}');
}

enum ocpp_error answer_signed_update_firmware(struct charger *charger, const struct json *request,
                                              struct json_out *out)
{
    struct job *job = &charger->jobs->firmware;
    const struct json *firmware = json_get(request, "firmware");
    const char *certificate = json_gets(firmware, "signingCertificate");
    wall_t at = time_of(firmware, "retrieveDateTime", 0);
    if (strstr(certificate, "REVOKED")) {
        put_status(out, "RevokedCertificate", NULL);
        return OCPP_OK;
    }
    if (!strstr(certificate, "-----BEGIN CERTIFICATE-----")) {
        put_status(out, "InvalidCertificate", NULL);
        security_event(charger, "InvalidFirmwareSigningCertificate", NULL);
        return OCPP_OK;
    }
    bool dropped = begin(job, KIND_SIGNED, request, json_gets(firmware, "location"), at);
    job->signature = arena_strdup(&job->arena, json_gets(firmware, "signature"));
    job->install_at = time_of(firmware, "installDateTime", 0);
    if (at > wall_now())
        tell(job, "DownloadScheduled");
    put_status(out, dropped ? "AcceptedCanceled" : "Accepted", NULL);
    return OCPP_OK;
}

/* The location of an upload may be a folder: then the charger names the file. */
static const char *upload_to(struct job *job, const char *kind)
{
    char now[TIMETEXT_SIZE];
    timetext_seconds(wall_now(), now);
    char *name =
        arena_printf(&job->arena, "%s-%s-%s.log", kind, job->charger->settings.identity, now);
    for (char *at = name; *at; at++)
        if (!(*at >= 'a' && *at <= 'z') && !(*at >= 'A' && *at <= 'Z') &&
            !(*at >= '0' && *at <= '9') && !strchr("-_.", *at))
            *at = '_';
    size_t len = strlen(job->location);
    if (len > 0 && job->location[len - 1] == '/')
        job->location = arena_printf(&job->arena, "%s%s", job->location, name);
    name[utf8_cut(name, strlen(name), 255)] = '\0';
    return name;
}

enum ocpp_error answer_get_diagnostics(struct charger *charger, const struct json *request,
                                       struct json_out *out)
{
    struct job *job = &charger->jobs->upload;
    begin(job, KIND_DIAGNOSTICS, request, json_gets(request, "location"), 0);
    job->from = time_of(request, "startTime", INT64_MIN);
    job->to = time_of(request, "stopTime", INT64_MAX);
    job->log_kind = "diagnostics";
    json_open(out, '{');
    json_key(out, "fileName");
    json_put_string(out, upload_to(job, job->log_kind));
    json_close(out, '}');
    return OCPP_OK;
}

enum ocpp_error answer_get_log(struct charger *charger, const struct json *request,
                               struct json_out *out)
{
    struct job *job = &charger->jobs->upload;
    const struct json *log = json_get(request, "log");
    bool dropped = begin(job, KIND_LOG, request, json_gets(log, "remoteLocation"), 0);
    job->from = time_of(log, "oldestTimestamp", INT64_MIN);
    job->to = time_of(log, "latestTimestamp", INT64_MAX);
    job->log_kind =
        text_is(json_gets(request, "logType"), "SecurityLog") ? "security" : "diagnostics";
    put_status(out, dropped ? "AcceptedCanceled" : "Accepted", upload_to(job, job->log_kind));
    return OCPP_OK;
}

/* ---- life ---- */

void job_open(struct charger *charger)
{
    charger->jobs = xcalloc(1, sizeof(*charger->jobs));
    charger->jobs->firmware = (struct job){.charger = charger, .timer = {.fn = on_step}};
    charger->jobs->upload =
        (struct job){.charger = charger, .kind = KIND_DIAGNOSTICS, .timer = {.fn = on_step}};
}

void job_close(struct charger *charger)
{
    cancel(&charger->jobs->firmware);
    cancel(&charger->jobs->upload);
    XFREE(charger->jobs);
}
