/* See money.h. */
#include "policy/money.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "station/decimal.h"

/* ISO 4217, list one, by the number of digits behind the point. Funds codes are in it, metals and
 * codes without a unit are not: nobody pays with them. */
static const struct {
    int digits;
    const char *codes;
} currencies[] = {
    {2, "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP "
        "BYN BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD "
        "FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD "
        "KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD "
        "NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP "
        "SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED "
        "VES WST XCD XCG YER ZAR ZMW ZWG"},
    {0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"},
    {3, "BHD IQD JOD KWD LYD OMR TND"},
    {4, "CLF UYW"},
};

static const int64_t AMOUNT_MAX = 100000000000000000; /* 10^17 */

int money_digits(const char *currency)
{
    if (!currency || strlen(currency) != 3 || strchr(currency, ' '))
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(currencies); i++) {
        if (strstr(currencies[i].codes, currency))
            return currencies[i].digits;
    }
    return -1;
}

/* Half away from zero: of the amount without its sign, half up. */
bool money_round(double amount, int digits, int64_t *out, struct reason *why)
{
    char text[40];
    double size = fabs(amount);
    *out = 0;
    if (!isfinite(amount))
        return reason_set(why, "is %s", isnan(amount) ? "not a number (0/0?)" : "infinite");
    snprintf(text, sizeof(text), size < 1e6 ? "%.9f" : size < 1e9 ? "%.15g" : "%.17g", size);
    if (!decimal_scaled(span_of(text), digits, out))
        return reason_set(why, "is too large (%g)", amount);
    if (amount < 0)
        *out = -*out;
    return true;
}

bool money_whole(int64_t amount, int digits, int64_t *out, struct reason *why)
{
    int64_t unit = 1;
    for (int i = 0; i < digits; i++)
        unit *= 10;
    *out = 0;
    if (amount > AMOUNT_MAX / unit || amount < -(AMOUNT_MAX / unit))
        return reason_set(why, "is too large (%" PRId64 ")", amount);
    *out = amount * unit;
    return true;
}

bool money_add(int64_t *sum, int64_t amount)
{
    int64_t result;
    if (__builtin_add_overflow(*sum, amount, &result))
        return false;
    *sum = result;
    return true;
}

void money_text(int64_t amount, int digits, const char *currency, char out[MONEY_TEXT])
{
    uint64_t unit = 1;
    for (int i = 0; i < digits; i++)
        unit *= 10;
    uint64_t size = amount < 0 ? 0 - (uint64_t)amount : (uint64_t)amount;
    const char *sign = amount < 0 ? "-" : "", *gap = currency ? " " : "";
    currency = currency ? currency : "";
    char rest[24] = "";
    if (digits > 0) { /* the 1 in front keeps the zeros */
        snprintf(rest, sizeof(rest), "%" PRIu64, unit + size % unit);
        rest[0] = '.';
    }
    snprintf(out, MONEY_TEXT, "%s%" PRIu64 "%s%s%.3s", sign, size / unit, rest, gap, currency);
}
