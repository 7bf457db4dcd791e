/* Certificates of the simulated charger and its security events (W3, G9).
 *
 * Certificates are real: PEM is decoded and the DER read as far as the hash data of
 * GetInstalledCertificateIds needs it (serial number, issuer, public key), so an answer can be held
 * against openssl. Nothing is verified: the simulator trusts whom it talks to. The CSR is a fixed
 * one of a test key, for the same reason. Start reading at certificate_read(). */
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "sim/place.h"

enum { HASH_SIZE = SHA256_HEX_SIZE, SERIAL_SIZE = 41, STORE_MAX_DEFAULT = 8 };

struct certificate {
    bool central_system; /* else manufacturer */
    char issuer_name_hash[HASH_SIZE], issuer_key_hash[HASH_SIZE], serial[SERIAL_SIZE];
};

struct certificate_book {
    struct certificate *list;
    size_t count, room;
};

/* An EC P-256 request with CN=SIM, O=ChargeBridge. */
static const char csr[] = "-----BEGIN CERTIFICATE REQUEST-----\n"
                          "MIHgMIGHAgEAMCUxFTATBgNVBAoMDENoYXJnZUJyaWRnZTEMMAoGA1UEAwwDU0lN\n"
                          "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE61NprcMpduKqFJWJRG5yRYweqdXV\n"
                          "SfnWpu0L8mrTPSi+sI2ZLQRfyuyBRGyyj50sdHOgq+HF/nrEbP6Fyg4KDaAAMAoG\n"
                          "CCqGSM49BAMCA0gAMEUCIQD3OENi9XOcMPFlk3VZYHcLWKfBLvSrdJDMa0VpoTeH\n"
                          "eQIgRL0RMjgBdI2iI4KTsRrunmgUHsaeagpskjmFFYP1Lgw=\n"
                          "-----END CERTIFICATE REQUEST-----\n";

/* ---- DER ---- */

struct der {
    const unsigned char *at;
    size_t len;
};

/* Takes the next element off `rest`: `whole` with its head, `content` without; three different
 * structs. */
static bool der_next(struct der *rest, unsigned char tag, struct der *whole, struct der *content)
{
    if (rest->len < 2 || rest->at[0] != tag)
        return false;
    size_t head = 2, len = rest->at[1];
    if (len > 0x80) {
        size_t bytes = len - 0x80;
        if (bytes > 3 || rest->len < 2 + bytes)
            return false;
        len = 0;
        for (size_t i = 0; i < bytes; i++)
            len = len << 8 | rest->at[2 + i];
        head += bytes;
    } else if (len == 0x80) {
        return false; /* no indefinite lengths in DER */
    }
    if (len > rest->len - head)
        return false;
    *whole = (struct der){rest->at, head + len};
    *content = (struct der){rest->at + head, len};
    rest->at += head + len;
    rest->len -= head + len;
    return true;
}

enum { DER_INTEGER = 0x02, DER_BITS = 0x03, DER_SEQUENCE = 0x30, DER_VERSION = 0xa0 };

static bool put_serial(struct der number, char out[SERIAL_SIZE])
{
    while (number.len > 1 && number.at[0] == 0) {
        number.at++;
        number.len--;
    }
    if (number.len == 0 || number.len * 2 >= SERIAL_SIZE)
        return false;
    hex_encode(number.at, number.len, out);
    return true;
}

/* A root certificate: the issuer's key is its own. */
static bool read_der(struct der whole, struct certificate *out)
{
    struct der outer, content, part, serial, issuer, key, bits;
    if (!der_next(&whole, DER_SEQUENCE, &part, &outer) ||
        !der_next(&outer, DER_SEQUENCE, &part, &content))
        return false;
    der_next(&content, DER_VERSION, &part, &serial); /* optional */
    if (!der_next(&content, DER_INTEGER, &part, &serial) || !put_serial(serial, out->serial))
        return false;
    if (!der_next(&content, DER_SEQUENCE, &part, &key) || /* algorithm */
        !der_next(&content, DER_SEQUENCE, &issuer, &key) ||
        !der_next(&content, DER_SEQUENCE, &part, &key) || /* validity */
        !der_next(&content, DER_SEQUENCE, &part, &key) || /* subject */
        !der_next(&content, DER_SEQUENCE, &part, &key))
        return false;
    if (!der_next(&key, DER_SEQUENCE, &part, &bits) || !der_next(&key, DER_BITS, &part, &bits) ||
        bits.len < 2)
        return false;
    sha256_hex(issuer.at, issuer.len, out->issuer_name_hash);
    sha256_hex(bits.at + 1, bits.len - 1, out->issuer_key_hash);
    return true;
}

/* The first certificate in the text. */
static bool certificate_read(const char *pem, struct certificate *out)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----", end[] = "-----END CERTIFICATE-----";
    const char *from = pem ? strstr(pem, begin) : NULL;
    const char *to = from ? strstr(from, end) : NULL;
    struct strbuf text = {0}, der = {0};
    if (!to)
        return false;
    for (from += sizeof(begin) - 1; from < to; from++)
        if (!strchr(" \t\r\n", *from))
            strbuf_addc(&text, *from);
    bool ok = base64_decode((struct span){strbuf_text(&text), text.len}, &der) &&
              read_der((struct der){(const unsigned char *)strbuf_text(&der), der.len}, out);
    strbuf_clear(&text);
    strbuf_clear(&der);
    return ok;
}

/* ---- the commands ---- */

static void put_status(struct json_out *out, const char *status)
{
    json_open(out, '{');
    json_key(out, "status");
    json_put_string(out, status);
    json_close(out, '}');
}

static bool same(const struct certificate *a, const struct certificate *b)
{
    return text_is_ci(a->issuer_name_hash, b->issuer_name_hash) &&
           text_is_ci(a->issuer_key_hash, b->issuer_key_hash) && text_is_ci(a->serial, b->serial);
}

static bool is_for_central_system(const struct json *request)
{
    return text_is(json_gets(request, "certificateType"), "CentralSystemRootCertificate");
}

static const char *install(struct charger *charger, const struct json *request)
{
    struct certificate_book *book = charger->certificates;
    struct certificate fresh = {.central_system = is_for_central_system(request)};
    int64_t most = config_int(charger, "CertificateStoreMaxLength");
    if (!certificate_read(json_gets(request, "certificate"), &fresh))
        return "Rejected";
    for (size_t i = 0; i < book->count; i++)
        if (same(&book->list[i], &fresh) && book->list[i].central_system == fresh.central_system)
            return "Accepted";
    if (book->count >= (size_t)(most > 0 ? most : STORE_MAX_DEFAULT))
        return "Failed";
    book->list = xgrow(book->list, book->count, &book->room, sizeof(*book->list));
    book->list[book->count++] = fresh;
    return "Accepted";
}

enum ocpp_error answer_install_certificate(struct charger *charger, const struct json *request,
                                           struct json_out *out)
{
    put_status(out, install(charger, request));
    return OCPP_OK;
}

enum ocpp_error answer_delete_certificate(struct charger *charger, const struct json *request,
                                          struct json_out *out)
{
    struct certificate_book *book = charger->certificates;
    const struct json *data = json_get(request, "certificateHashData");
    struct certificate wanted = {0};
    bool found = false;
    text_copy(wanted.issuer_name_hash, HASH_SIZE, span_of(json_gets(data, "issuerNameHash")));
    text_copy(wanted.issuer_key_hash, HASH_SIZE, span_of(json_gets(data, "issuerKeyHash")));
    text_copy(wanted.serial, SERIAL_SIZE, span_of(json_gets(data, "serialNumber")));
    bool sha256 = text_is(json_gets(data, "hashAlgorithm"), "SHA256");
    for (size_t i = book->count; sha256 && i-- > 0;) {
        if (!same(&book->list[i], &wanted))
            continue;
        book->list[i] = book->list[--book->count];
        found = true;
    }
    put_status(out, found ? "Accepted" : "NotFound");
    return OCPP_OK;
}

static void put_hash_data(struct json_out *out, const struct certificate *certificate)
{
    json_open(out, '{');
    json_key(out, "hashAlgorithm");
    json_put_string(out, "SHA256");
    json_key(out, "issuerNameHash");
    json_put_string(out, certificate->issuer_name_hash);
    json_key(out, "issuerKeyHash");
    json_put_string(out, certificate->issuer_key_hash);
    json_key(out, "serialNumber");
    json_put_string(out, certificate->serial);
    json_close(out, '}');
}

enum ocpp_error answer_get_installed_certificate_ids(struct charger *charger,
                                                     const struct json *request,
                                                     struct json_out *out)
{
    const struct certificate_book *book = charger->certificates;
    bool central_system = is_for_central_system(request);
    size_t count = 0;
    for (size_t i = 0; i < book->count; i++)
        count += book->list[i].central_system == central_system;
    if (count == 0) {
        put_status(out, "NotFound");
        return OCPP_OK;
    }
    json_open(out, '{');
    json_key(out, "status");
    json_put_string(out, "Accepted");
    json_key(out, "certificateHashData");
    json_open(out, '[');
    for (size_t i = 0; i < book->count; i++)
        if (book->list[i].central_system == central_system)
            put_hash_data(out, &book->list[i]);
    json_close(out, ']');
    json_close(out, '}');
    return OCPP_OK;
}

enum ocpp_error answer_certificate_signed(struct charger *charger, const struct json *request,
                                          struct json_out *out)
{
    struct certificate leaf;
    bool ok = certificate_read(json_gets(request, "certificateChain"), &leaf);
    put_status(out, ok ? "Accepted" : "Rejected");
    if (!ok)
        security_event(charger, "InvalidChargePointCertificate", "no certificate in the chain");
    return OCPP_OK;
}

/* ---- what the charger sends ---- */

void security_send_csr(struct charger *charger)
{
    struct strbuf payload = {0};
    struct json_out out = {.to = &payload};
    json_open(&out, '{');
    json_key(&out, "csr");
    json_put_string(&out, csr);
    json_close(&out, '}');
    charger_call(charger, "SignCertificate", strbuf_take(&payload, NULL));
}

void security_event(struct charger *charger, const char *type, const char *info)
{
    struct strbuf payload = {0};
    struct json_out out = {.to = &payload};
    if (!charger_may_send(charger))
        return;
    json_open(&out, '{');
    json_key(&out, "type");
    json_put_string(&out, type);
    put_time(charger, &out, "timestamp", wall_now());
    if (info) {
        json_key(&out, "techInfo");
        json_put_string(&out, info);
    }
    json_close(&out, '}');
    charger_call(charger, "SecurityEventNotification", strbuf_take(&payload, NULL));
}

void security_open(struct charger *charger)
{
    charger->certificates = xcalloc(1, sizeof(*charger->certificates));
}

void security_close(struct charger *charger)
{
    xfree(charger->certificates->list);
    XFREE(charger->certificates);
}
