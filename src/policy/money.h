/* Money: whole numbers of a currency's smallest unit, rounded once, as a decimal.
 *
 * What scripts compute is binary floating point: 0.285 is stored as a little less, and the sum of
 * 96 quarter hours is off in the 14th digit. An amount is therefore read as the decimal that its
 * author means, to 9 digits behind the point (15 in all; for thousands of millions all 17), and
 * that is rounded, half away from zero. Exponents are those of ISO 4217: 2 for most, 0 for JPY, 3
 * for KWD, 4 for CLF. From there on money is int64_t, and sums are checked. Private to policy/. */
#ifndef POLICY_MONEY_H
#define POLICY_MONEY_H

#include <stdint.h>

#include "base/reason.h"

enum { MONEY_TEXT = 64 };

/* Digits behind the point of an active ISO 4217 code in capitals; -1: none of them. */
int money_digits(const char *currency);
/* False and why: not a finite number, or beyond ±10^17 of the smallest unit. */
bool money_round(double amount, int digits, int64_t *out, struct reason *why);
/* The same for a whole number of the main unit. */
bool money_whole(int64_t amount, int digits, int64_t *out, struct reason *why);
/* Adds to *sum; false, and unchanged, beyond int64_t. */
bool money_add(int64_t *sum, int64_t amount);
/* "12.34 EUR", "-0.05 EUR", "1200 JPY"; without a currency (NULL) the number alone. */
void money_text(int64_t amount, int digits, const char *currency, char out[MONEY_TEXT]);

#endif
