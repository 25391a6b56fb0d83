/* See password.h. Called by users.c and, from a thread of its own, by verifier.c. */
#include "auth/password.h"

#include <assert.h>
#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define APR1_PREFIX   "$apr1$"
#define APR1_ROUNDS   1000
#define APR1_MAX_SALT 8
#define MD5_SIZE      16

#define SHA_PREFIX "{SHA}"

#define BCRYPT_LEN	60
#define BCRYPT_MIN_COST 4
#define BCRYPT_MAX_COST 12
#define MIN_ROUNDS	1000
#define MAX_ROUNDS	100000

/* Of the alphabet of crypt(5), in the order of its values. */
static const char alphabet[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

#define HOW "store what `htpasswd -nB` or `mkpasswd` prints"

static const char *const unknown =
	"is no hash of a kind that can be checked, or a password in plain text: " HOW;
static const char *const malformed = "is cut off or has other characters than a hash: " HOW;
static const char *const costly =
	"takes too long to check: use a cost of bcrypt of 4 to 12, 1000 to 100000 rounds of SHA, "
	"or the default of yescrypt";

/* ---- what hashes look like ---- */

static bool is_of_alphabet(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\0' || strchr(alphabet, text[i]) == NULL) {
			return false;
		}
	}
	return true;
}

/* "salt$digest", with a digest of so many characters and a salt of 1 to `max_salt`. */
static const char *salted_fault(const char *text, size_t max_salt, size_t digest_len)
{
	size_t salt_len = strcspn(text, "$");

	/* Salts may have other characters, and are the file's own; but for the separators. */
	bool is_ok = salt_len > 0 && salt_len <= max_salt && text[salt_len] == '$' &&
		     strlen(text + salt_len + 1) == digest_len &&
		     is_of_alphabet(text + salt_len + 1, digest_len);
	return is_ok ? NULL : malformed;
}

static const char *md5_fault(const char *text)
{
	return salted_fault(text, 8, 22);
}

/* "rounds=N$" may stand in front. */
static const char *sha2_fault(const char *text, size_t digest_len)
{
	static const char prefix[] = "rounds=";

	if (strncmp(text, prefix, strlen(prefix)) == 0) {
		char *end;
		unsigned long rounds = strtoul(text + strlen(prefix), &end, 10);
		if (*end != '$') {
			return malformed;
		}
		if (rounds < MIN_ROUNDS || rounds > MAX_ROUNDS) {
			return costly;
		}
		text = end + 1;
	}
	return salted_fault(text, 16, digest_len);
}

static const char *sha256_fault(const char *text)
{
	return sha2_fault(text, 43);
}

static const char *sha512_fault(const char *text)
{
	return sha2_fault(text, 86);
}

/* "NN$" and 53 characters. */
static const char *bcrypt_fault(const char *text)
{
	const size_t rest_len = BCRYPT_LEN - strlen("$2y$");

	if (strlen(text) != rest_len || strspn(text, "0123456789") != 2 || text[2] != '$' ||
		!is_of_alphabet(text + 3, rest_len - 3)) {
		return malformed;
	}
	int cost = 10 * (text[0] - '0') + (text[1] - '0');
	return cost >= BCRYPT_MIN_COST && cost <= BCRYPT_MAX_COST ? NULL : costly;
}

/* "jNr$salt$digest": the flavour, the logarithm of the blocks, and their size (8 or 32). As
 * crypt_gensalt() makes them for costs of 1 to 6; 5 is what it makes by default. */
static const char *yescrypt_fault(const char *text)
{
	static const char *const parameters[] = {"j75$", "j85$", "j7T$", "j8T$", "j9T$", "jAT$"};

	for (size_t i = 0; i < ARRAY_LEN(parameters); i++) {
		if (strncmp(text, parameters[i], strlen(parameters[i])) == 0) {
			return salted_fault(text + strlen(parameters[i]), 86, 43);
		}
	}
	return strchr(text, '$') != NULL ? costly : malformed;
}

static const char *sha1_fault(const char *text)
{
	/* 20 bytes in base64. */
	bool is_ok =
		strlen(text) == 28 && text[27] == '=' &&
		strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") ==
			27;
	return is_ok ? NULL : malformed;
}

static const struct {
	const char *prefix;
	const char *(*fault)(const char *text);
} kinds[] = {
	{"$y$", yescrypt_fault},
	{"$2a$", bcrypt_fault},
	{"$2b$", bcrypt_fault},
	{"$2y$", bcrypt_fault},
	{"$6$", sha512_fault},
	{"$5$", sha256_fault},
	{APR1_PREFIX, md5_fault},
	{"$1$", md5_fault},
	{SHA_PREFIX, sha1_fault},
};

const char *password_fault(const char *hash, size_t len)
{
	char copy[PASSWORD_MAX_HASH + 1];
	const char *fault = unknown;

	if (len > PASSWORD_MAX_HASH || memchr(hash, '\0', len) != NULL) {
		return unknown;
	}
	memcpy(copy, hash, len);
	copy[len] = '\0';
	for (size_t i = 0; i < len; i++) {
		if (copy[i] <= ' ' || copy[i] > '~' || copy[i] == ':') {
			copy[0] = '\0';
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		size_t prefix_len = strlen(kinds[i].prefix);
		if (strncmp(copy, kinds[i].prefix, prefix_len) == 0) {
			fault = kinds[i].fault(copy + prefix_len);
			break;
		}
	}
	OPENSSL_cleanse(copy, sizeof(copy));
	/* A constant, whichever kind says it. */
	/* cppcheck-suppress returnDanglingLifetime */
	return fault;
}

/* ---- checking ---- */

static bool is_same(const char *a, const char *b)
{
	size_t len = strlen(a);

	return strlen(b) == len && CRYPTO_memcmp(a, b, len) == 0;
}

static bool matches_crypt(const char *hash, const char *password)
{
	struct crypt_data *data = xcalloc(1, sizeof(*data));
	const char *made = crypt_r(password, hash, data);
	bool is_match = made != NULL && made[0] != '*' && is_same(hash, made);

	OPENSSL_cleanse(data, sizeof(*data));
	free(data);
	return is_match;
}

static bool matches_sha1(const char *hash, const char *password)
{
	unsigned char digest[SHA_DIGEST_LENGTH];
	char text[4 * ((SHA_DIGEST_LENGTH + 2) / 3) + 1];

	SHA1((const unsigned char *)password, strlen(password), digest);
	EVP_EncodeBlock((unsigned char *)text, digest, sizeof(digest));
	bool is_match = is_same(hash + strlen(SHA_PREFIX), text);
	OPENSSL_cleanse(digest, sizeof(digest));
	OPENSSL_cleanse(text, sizeof(text));
	return is_match;
}

/* One MD5 over pieces. */
struct md5 {
	EVP_MD_CTX *ctx;
	unsigned char digest[MD5_SIZE];
};

static void md5_begin(struct md5 *md5)
{
	assert(EVP_DigestInit_ex(md5->ctx, EVP_md5(), NULL) == 1);
}

static void md5_add(struct md5 *md5, const void *data, size_t len)
{
	assert(EVP_DigestUpdate(md5->ctx, data, len) == 1);
}

static void md5_end(struct md5 *md5)
{
	assert(EVP_DigestFinal_ex(md5->ctx, md5->digest, NULL) == 1);
}

struct apr1 {
	struct md5 md5;
	const char *password;
	size_t password_len;
	const char *salt;
	size_t salt_len;
};

static void apr1_first(struct apr1 *apr1)
{
	struct md5 *md5 = &apr1->md5;
	unsigned char inner[MD5_SIZE];

	md5_begin(md5);
	md5_add(md5, apr1->password, apr1->password_len);
	md5_add(md5, apr1->salt, apr1->salt_len);
	md5_add(md5, apr1->password, apr1->password_len);
	md5_end(md5);
	memcpy(inner, md5->digest, sizeof(inner));
	md5_begin(md5);
	md5_add(md5, apr1->password, apr1->password_len);
	md5_add(md5, APR1_PREFIX, strlen(APR1_PREFIX));
	md5_add(md5, apr1->salt, apr1->salt_len);
	for (size_t left = apr1->password_len; left > 0;
		left -= left > MD5_SIZE ? MD5_SIZE : left) {
		md5_add(md5, inner, left > MD5_SIZE ? MD5_SIZE : left);
	}
	for (size_t bits = apr1->password_len; bits > 0; bits >>= 1) {
		md5_add(md5, (bits & 1) != 0 ? "" : apr1->password, 1);
	}
	md5_end(md5);
	OPENSSL_cleanse(inner, sizeof(inner));
}

static void apr1_round(struct apr1 *apr1, int round)
{
	struct md5 *md5 = &apr1->md5;
	unsigned char before[MD5_SIZE];
	bool is_odd = round % 2 != 0;

	memcpy(before, md5->digest, sizeof(before));
	md5_begin(md5);
	md5_add(md5, is_odd ? apr1->password : (const char *)before,
		is_odd ? apr1->password_len : sizeof(before));
	if (round % 3 != 0) {
		md5_add(md5, apr1->salt, apr1->salt_len);
	}
	if (round % 7 != 0) {
		md5_add(md5, apr1->password, apr1->password_len);
	}
	md5_add(md5, is_odd ? (const char *)before : apr1->password,
		is_odd ? sizeof(before) : apr1->password_len);
	md5_end(md5);
	OPENSSL_cleanse(before, sizeof(before));
}

/* Six bits a character, the lowest first. */
static char *put_bits(char *to, uint32_t bits, int n)
{
	for (; n > 0; n--) {
		*to++ = alphabet[bits & 63];
		bits >>= 6;
	}
	return to;
}

static void apr1_write(const unsigned char digest[MD5_SIZE], char ret_text[23])
{
	char *to = ret_text;

	for (int i = 0; i < 5; i++) {
		to = put_bits(to,
			(uint32_t)digest[i] << 16 | (uint32_t)digest[i + 6] << 8 |
				digest[i == 4 ? 5 : i + 12],
			4);
	}
	to = put_bits(to, digest[11], 2);
	*to = '\0';
}

static bool matches_apr1(const char *hash, const char *password)
{
	struct apr1 apr1 = {.password = password,
		.password_len = strlen(password),
		.salt = hash + strlen(APR1_PREFIX)};
	char text[23];

	apr1.salt_len = strcspn(apr1.salt, "$");
	apr1.md5.ctx = EVP_MD_CTX_new();
	assert(apr1.md5.ctx != NULL && apr1.salt_len <= APR1_MAX_SALT);
	apr1_first(&apr1);
	for (int round = 0; round < APR1_ROUNDS; round++) {
		apr1_round(&apr1, round);
	}
	apr1_write(apr1.md5.digest, text);
	bool is_match = is_same(apr1.salt + apr1.salt_len + 1, text);
	EVP_MD_CTX_free(apr1.md5.ctx);
	OPENSSL_cleanse(&apr1.md5.digest, sizeof(apr1.md5.digest));
	OPENSSL_cleanse(text, sizeof(text));
	return is_match;
}

bool password_matches(const char *hash, const char *password)
{
	if (strlen(password) > PASSWORD_MAX_LEN) {
		return false;
	}
	if (strncmp(hash, SHA_PREFIX, strlen(SHA_PREFIX)) == 0) {
		return matches_sha1(hash, password);
	}
	if (strncmp(hash, APR1_PREFIX, strlen(APR1_PREFIX)) == 0) {
		return matches_apr1(hash, password);
	}
	return matches_crypt(hash, password);
}
