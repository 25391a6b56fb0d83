#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "auth/password.h"
#include "base/alloc.h"

/* Made by `openssl passwd`, `htpasswd` and crypt(3) of libxcrypt. */
static const struct {
	const char *hash;
	const char *password;
} right[] = {
	{"$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/", "secret"},
	{"$apr1$q1$DDCswaxHlkOGokWAjw9s/0", "p\xc3\xa4ssw\xc3\xb6rd:x and quite a long one"},
	{"$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1", "secret"},
	{"$5$abcdefgh$gruCpC7VkOTspMQTTSAR8mtlO9Upms.fwqE5y16JVM.", "secret"},
	{"$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/cZ/"
	 "1GM/O6IND4WQhG.",
		"secret"},
	{"$6$rounds=1000$abcdefgh$nhYjN017qxiYztzyUpZtPnUQcnLy62KsunSLHNeLahp2EHPlAKmFFlrjEwSXGo2"
	 "kgY5hR2.peKEg2VGUqIJJu1",
		"secret"},
	{"$6$k2XAnEHBqQ1Ct2aM$gqwjxWmSrAUFVi3/pK24qWZ82ojvDilSNYbOE7CsCmz555/"
	 "wSWHobSDIUZjRS5TDyUIT9fOROtJtHYe9SASMM1",
		"p\xc3\xa4ssw\xc3\xb6rd:x"},
	{"$6$k2XAnEHBqQ1Ct2aM$y.34S4.sLfgTnZ78A59L2dqLqnGcpdYcw8LDuacQ4w49NUkvEySpnFrnWt4LU8SwpmHK"
	 "zzuJf1yQRTlhXo0we0",
		""},
	{"$2a$05$KBCwKxOzLha2MUDgW0PjXeGy8zDyKFegpVV4y0qPBUgij10WNyKY6", "secret"},
	{"$2b$05$KBCwKxOzLha2MUDgW0PjXeGy8zDyKFegpVV4y0qPBUgij10WNyKY6", "secret"},
	{"$2y$05$KBCwKxOzLha2MUDgW0PjXeGy8zDyKFegpVV4y0qPBUgij10WNyKY6", "secret"},
	{"$y$j75$k2XAnEHBqQ1Ct2aMXFKNaR4Odd4$Nm1HRpDGDG5PHOkGK3UIY4ow09GeL70FApOU7n7ISc5",
		"secret"},
	{"{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "secret"},
};

static void test_right_and_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(right); i++) {
		const char *hash = right[i].hash;
		CLEANUP(free_ptr) char *longer = xasprintf("%s ", right[i].password);
		CLEANUP(free_ptr) char *other = xstrdup(hash);
		size_t at = strlen(hash) - 5;
		const char *fault = password_fault(hash, strlen(hash));
		if (fault != NULL || !password_matches(hash, right[i].password)) {
			fail_msg("%s: %s", hash, fault ? fault : "is not the password");
		}
		assert_false(password_matches(hash, longer));
		assert_false(password_matches(hash, "Secret"));
		other[at] = other[at] == 'a' ? 'b' : 'a';
		assert_false(password_matches(other, right[i].password));
	}
}

/* bcrypt has no more of a password. */
static void test_lengths(void **state)
{
	char password[PASSWORD_MAX_LEN + 2];

	(void)state;
	memset(password, 'a', sizeof(password) - 1);
	password[sizeof(password) - 1] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(right); i++) {
		assert_false(password_matches(right[i].hash, password));
	}
	password[PASSWORD_MAX_LEN] = '\0';
	assert_false(password_matches(right[0].hash, password));
}

static void test_faults(void **state)
{
	static const struct {
		const char *hash;
		const char *fault; /* a part of it */
	} rows[] = {
		{"", "no hash"},
		{"secret", "no hash"},
		{"$", "no hash"},
		{"ab01FAX.bQRSU", "no hash"},
		{"{PLAIN}secret", "no hash"},
		{"{SSHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "no hash"},
		{"$7$abc", "no hash"},
		{"$6$abcdefgh$ltj gWl", "no hash"},
		{"{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ", "cut off"},
		{"{SHA}5en6G6MezRroT3XKqkdPOmY.BfQ=", "cut off"},
		{"$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I", "cut off"},
		{"$1$abcdefghi$cHJi5PXp/ki/ktXzqlk6I1", "cut off"},
		{"$apr1$$h9FWgUz3n9YxylKLlR5SQ/", "cut off"},
		{"$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5S-/", "cut off"},
		{"$5$rounds=99999", "cut off"},
		{"$5$rounds=999$abcdefgh$gruCpC7VkOTspMQTTSAR8mtlO9Upms.fwqE5y16JVM.", "too long"},
		{"$5$rounds=100001$abcdefgh$gruCpC7VkOTspMQTTSAR8mtlO9Upms.fwqE5y16JVM.",
			"too long"},
		{"$5$rounds=99999999999999999999$a$gruCpC7VkOTspMQTTSAR8mtlO9Upms.fwqE5y16JVM.",
			"too long"},
		{"$2y$13$KBCwKxOzLha2MUDgW0PjXeGy8zDyKFegpVV4y0qPBUgij10WNyKY6", "too long"},
		{"$2y$03$KBCwKxOzLha2MUDgW0PjXeGy8zDyKFegpVV4y0qPBUgij10WNyKY6", "too long"},
		{"$2y$5$KBCwKxOzLha2MUDgW0PjXeGy8zDyKFegpVV4y0qPBUgij10WNyKY6a", "cut off"},
		{"$2y$05$KBCwKxOzLha2MUDgW0PjXeGy8zDyKFegpVV4y0qPBUgij10WNyKY", "cut off"},
		{"$y$jBT$k2XAnEHBqQ1Ct2aMXFKNaR4Odd4$oFHnMEIN.ahskyAvI4Ct5INMg9SDav.MWieOK/W/BCB",
			"too long"},
		{"$y$j75$k2XAnEHBqQ1Ct2aMXFKNaR4Odd4", "cut off"},
	};
	static const char nul[] = "$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I\0";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *fault = password_fault(rows[i].hash, strlen(rows[i].hash));
		if (fault == NULL || strstr(fault, rows[i].fault) == NULL) {
			fail_msg("%s: %s", rows[i].hash, fault ? fault : "no fault");
		}
	}
	assert_non_null(password_fault(nul, sizeof(nul) - 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_right_and_wrong),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_faults),
	};

	return cmocka_run_group_tests_name("password", tests, NULL, NULL);
}
