/* See time.h. timegm() does the calendar; everything it would quietly put right is refused here. */
#include "kube/time.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Does `text` begin like `shape`, where 0 stands for any digit? */
static bool has_shape(const char *text, const char *shape)
{
	for (; *shape != '\0'; text++, shape++) {
		if (*shape == '0' ? !isdigit((unsigned char)*text) : *text != *shape) {
			return false;
		}
	}
	return true;
}

static int number_at(const char *text, int n_digits)
{
	int number = 0;

	for (int i = 0; i < n_digits; i++) {
		number = number * 10 + (text[i] - '0');
	}
	return number;
}

/* "Z" or "+hh:mm" at the end of a time, in seconds east of Greenwich. */
static bool parse_zone(const char *text, int *ret_seconds)
{
	if (strcmp(text, "Z") == 0) {
		*ret_seconds = 0;
		return true;
	}
	if ((*text != '+' && *text != '-') || !has_shape(text + 1, "00:00") || text[6] != '\0') {
		return false;
	}
	int seconds = number_at(text + 1, 2) * 3600 + number_at(text + 4, 2) * 60;
	*ret_seconds = *text == '+' ? seconds : -seconds;
	return number_at(text + 1, 2) < 24 && number_at(text + 4, 2) < 60;
}

bool kube_time_parse(const char *text, int64_t *ret_seconds)
{
	int zone = 0;

	if (!has_shape(text, "0000-00-00T00:00:00")) {
		return false;
	}
	struct tm tm = {.tm_year = number_at(text, 4) - 1900,
		.tm_mon = number_at(text + 5, 2) - 1,
		.tm_mday = number_at(text + 8, 2),
		.tm_hour = number_at(text + 11, 2),
		.tm_min = number_at(text + 14, 2),
		.tm_sec = number_at(text + 17, 2)};
	struct tm given = tm;
	const char *rest = text + 19;
	if (has_shape(rest, ".0")) {
		rest += 1 + strspn(rest + 1, "0123456789");
	}
	int64_t seconds = timegm(&tm);
	if (!parse_zone(rest, &zone) || tm.tm_mon != given.tm_mon || tm.tm_mday != given.tm_mday ||
		tm.tm_hour != given.tm_hour || tm.tm_min != given.tm_min) {
		return false; /* timegm moves the thirtieth of February to March */
	}
	*ret_seconds = seconds - zone;
	return true;
}

void kube_time_write(int64_t unix_us, char text[KUBE_TIME_SIZE])
{
	time_t seconds = (time_t)(unix_us / 1000000);
	char date[24];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, KUBE_TIME_SIZE, "%s.%06dZ", date, (int)(unix_us % 1000000));
}
