/* See secret.h. Called by decode.c, the reflector, the manifests and the store. */
#include "kube/secret.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "auth/users.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/err.h"
#include "cert/cert.h"

#define N_TEXTS 18

/* A clock may run a little behind the one of who issued the certificate. */
#define EARLY_SECONDS 300

/* A Secret in pieces, to be put together again; texts are borrowed, NULL = absent. */
struct pieces {
	struct secret fixed; /* numbers; its texts are not looked at */
	const char *texts[N_TEXTS];
};

/* The texts of a Secret, in the order in which they lie in its block. */
static struct obj_text *text_of(struct secret *secret, size_t i)
{
	struct obj_text *const texts[N_TEXTS] = {&secret->head.namespace, &secret->head.name,
		&secret->type, &secret->pem, &secret->names, &secret->fingerprint, &secret->digest,
		&secret->fault, &secret->next.pem, &secret->next.names, &secret->next.fingerprint,
		&secret->next.digest, &secret->users, &secret->users_version, &secret->users_fault,
		&secret->authorities, &secret->authorities_fault, &secret->last_authorities};

	return texts[i];
}

enum {
	TEXT_NAMESPACE,
	TEXT_NAME,
	TEXT_TYPE,
	TEXT_PEM,
	TEXT_NAMES,
	TEXT_PRINT,
	TEXT_DIGEST,
	TEXT_FAULT,
	TEXT_NEXT_PEM,
	TEXT_NEXT_NAMES,
	TEXT_NEXT_PRINT,
	TEXT_NEXT_DIGEST,
	TEXT_USERS,
	TEXT_USERS_VERSION,
	TEXT_USERS_FAULT,
	TEXT_AUTHORITIES,
	TEXT_AUTHORITIES_FAULT,
	TEXT_LAST_AUTHORITIES
};

/* The content, and where it is while it waits. */
static const struct {
	uint8_t used;
	uint8_t next;
} content_texts[] = {
	{TEXT_PEM, TEXT_NEXT_PEM},
	{TEXT_NAMES, TEXT_NEXT_NAMES},
	{TEXT_PRINT, TEXT_NEXT_PRINT},
	{TEXT_DIGEST, TEXT_NEXT_DIGEST},
};

static struct pieces take_apart(const struct secret *secret)
{
	struct pieces pieces = {.fixed = *secret};

	for (size_t i = 0; i < N_TEXTS; i++) {
		struct obj_text text = *text_of(&pieces.fixed, i);
		pieces.texts[i] = obj_has(text) ? obj_str(secret, text) : NULL;
	}
	return pieces;
}

/* Equal pieces give equal bytes. */
static struct object *put_together(const struct pieces *pieces)
{
	size_t size = sizeof(struct secret);

	for (size_t i = 0; i < N_TEXTS; i++) {
		size += pieces->texts[i] ? strlen(pieces->texts[i]) + 1 : 0;
	}
	struct secret *secret = xcalloc(1, size);
	secret->head.size = (uint32_t)size;
	secret->head.created_seconds = pieces->fixed.head.created_seconds;
	secret->head.kind = KUBE_SECRET;
	secret->not_before = pieces->fixed.not_before;
	secret->not_after = pieces->fixed.not_after;
	secret->key = pieces->fixed.key;
	secret->next.not_before = pieces->fixed.next.not_before;
	secret->next.not_after = pieces->fixed.next.not_after;
	secret->next.key = pieces->fixed.next.key;
	secret->state = pieces->fixed.state;
	secret->is_untimely = pieces->fixed.is_untimely;
	secret->has_expired = pieces->fixed.has_expired;
	secret->authorities_not_after = pieces->fixed.authorities_not_after;
	secret->have_authorities_expired = pieces->fixed.have_authorities_expired;
	size_t offset = sizeof(struct secret);
	for (size_t i = 0; i < N_TEXTS; i++) {
		if (pieces->texts[i] != NULL) {
			size_t text_size = strlen(pieces->texts[i]) + 1;
			memcpy((char *)secret + offset, pieces->texts[i], text_size);
			text_of(secret, i)->offset = (uint32_t)offset;
			offset += text_size;
		}
	}
	return &secret->head;
}

/* The content of `newer` is to wait; NULL = nothing is. */
static void set_next(struct pieces *pieces, const struct pieces *newer)
{
	struct secret_next *next = &pieces->fixed.next;

	next->not_before = newer ? newer->fixed.not_before : 0;
	next->not_after = newer ? newer->fixed.not_after : 0;
	next->key = newer ? newer->fixed.key : 0;
	for (size_t i = 0; i < ARRAY_LEN(content_texts); i++) {
		pieces->texts[content_texts[i].next] =
			newer ? newer->texts[content_texts[i].used] : NULL;
	}
}

/* What has waited comes into use. */
static void use_next(struct pieces *pieces)
{
	pieces->fixed.not_before = pieces->fixed.next.not_before;
	pieces->fixed.not_after = pieces->fixed.next.not_after;
	pieces->fixed.key = pieces->fixed.next.key;
	for (size_t i = 0; i < ARRAY_LEN(content_texts); i++) {
		pieces->texts[content_texts[i].used] = pieces->texts[content_texts[i].next];
	}
	set_next(pieces, NULL);
}

/* ---- reading ---- */

/* One value of the Secret, decoded; owned, wiped when freed. */
struct value {
	char *bytes; /* NULL = absent */
	size_t len;
};

static void value_fini(struct value *value)
{
	if (value->bytes != NULL) {
		OPENSSL_cleanse(value->bytes, value->len);
	}
	free(value->bytes);
}

/* NULL = absent. */
static struct json_object *find_map(struct json_object *json, const char *map)
{
	struct json_object *values = NULL;

	return json_object_object_get_ex(json, map, &values) &&
			       json_object_is_type(values, json_type_object)
		       ? values
		       : NULL;
}

static struct json_object *find(struct json_object *json, const char *map, const char *key)
{
	struct json_object *values = find_map(json, map);
	struct json_object *value = NULL;

	if (values != NULL && json_object_object_get_ex(values, key, &value) &&
		json_object_is_type(value, json_type_string)) {
		return value;
	}
	return NULL;
}

static bool decode_base64(const char *text, size_t len, struct value *ret_value)
{
	EVP_ENCODE_CTX *ctx = EVP_ENCODE_CTX_new();
	struct value value = {xmalloc(len / 4 * 3 + 4), 0};
	int n = 0;
	int n_last = 0;

	EVP_DecodeInit(ctx);
	bool is_ok = len <= INT32_MAX &&
		     EVP_DecodeUpdate(ctx, (unsigned char *)value.bytes, &n,
			     (const unsigned char *)text, (int)len) >= 0 &&
		     EVP_DecodeFinal(ctx, (unsigned char *)value.bytes + n, &n_last) >= 0;
	EVP_ENCODE_CTX_free(ctx); /* wipes */
	value.len = (size_t)(n + n_last);
	if (!is_ok) {
		value_fini(&value);
		return false;
	}
	*ret_value = value;
	return true;
}

static bool read_value(
	struct json_object *json, const char *key, struct value *ret_value, struct err *err)
{
	struct json_object *plain = find(json, "stringData", key);
	struct json_object *encoded = find(json, "data", key);

	if (plain != NULL) {
		size_t len = (size_t)json_object_get_string_len(plain);
		*ret_value = (struct value){xmalloc(len + 1), len};
		memcpy(ret_value->bytes, json_object_get_string(plain), len + 1);
		return true;
	}
	if (encoded == NULL) {
		return err_set(err, ERR_INPUT, "data has no %s: store the %s there", key,
			strcmp(key, "tls.crt") == 0 ? "certificate" : "private key");
	}
	return decode_base64(json_object_get_string(encoded),
		       (size_t)json_object_get_string_len(encoded), ret_value) ||
	       err_set(err, ERR_INPUT, "data[%s] is not base64: let kubectl encode it", key);
}

/* Keys and hashes must not lie about in freed memory. */
static void wipe(struct json_object *json)
{
	static const char *const maps[] = {"data", "stringData"};

	for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
		struct json_object *values = find_map(json, maps[i]);
		if (values == NULL) {
			continue;
		}
		json_object_object_foreach(values, key, value)
		{
			(void)key;
			if (json_object_is_type(value, json_type_string)) {
				OPENSSL_cleanse((char *)json_object_get_string(value),
					(size_t)json_object_get_string_len(value));
			}
		}
	}
}

static bool read_cert(struct json_object *json, struct cert *ret_cert, struct err *err)
{
	struct value crt = {0};
	struct value key = {0};
	bool is_ok = read_value(json, "tls.crt", &crt, err) &&
		     read_value(json, "tls.key", &key, err) &&
		     cert_read(crt.bytes, crt.len, key.bytes, key.len, ret_cert, err);

	value_fini(&crt);
	value_fini(&key);
	return is_ok;
}

/* The values of a Secret of another type. */
struct values {
	struct users_pair *pairs;
	struct value *values; /* behind each of them */
	size_t n;
	size_t n_bad; /* not base64 */
};

static void collect_values(struct json_object *json, const char *map, struct values *values)
{
	struct json_object *members = find_map(json, map);

	if (members == NULL) {
		return;
	}
	size_t n = values->n + (size_t)json_object_object_length(members);
	values->pairs = xreallocarray(values->pairs, n + 1, sizeof(*values->pairs));
	values->values = xreallocarray(values->values, n + 1, sizeof(*values->values));
	json_object_object_foreach(members, key, member)
	{
		struct err err = {0};
		bool is_behind = strcmp(map, "data") == 0 && find(json, "stringData", key) != NULL;
		struct value value = {0};
		if (is_behind || !json_object_is_type(member, json_type_string)) {
			continue;
		}
		if (!read_value(json, key, &value, &err)) {
			values->n_bad++;
			continue;
		}
		values->values[values->n] = value;
		values->pairs[values->n++] = (struct users_pair){key, value.bytes, value.len};
	}
}

/* The identity of the object is in it, so that nobody can tell from it what a password is. */
static char *make_version(const struct pieces *pieces, struct json_object *json, const char *users)
{
	struct json_object *metadata = NULL;
	struct json_object *uid = NULL;
	unsigned char digest[SHA256_DIGEST_LENGTH];
	struct buf text = BUF_INIT(0);
	char *version = xmalloc(33);

	text.is_secret = true;
	if (json_object_object_get_ex(json, "metadata", &metadata)) {
		json_object_object_get_ex(metadata, "uid", &uid);
	}
	buf_printf(&text, "%s/%s %s\n%s", pieces->texts[TEXT_NAMESPACE], pieces->texts[TEXT_NAME],
		uid ? json_object_get_string(uid) : "", users);
	SHA256((const unsigned char *)text.data, text.len, digest);
	buf_fini(&text);
	for (size_t i = 0; i < 16; i++) {
		snprintf(version + 2 * i, 3, "%02x", digest[i]);
	}
	return version;
}

static void read_users(struct json_object *json, struct users *ret_users)
{
	struct values values = {0};

	collect_values(json, "data", &values);
	collect_values(json, "stringData", &values);
	users_read(ret_users, values.pairs, values.n);
	if (values.n_bad > 0 && ret_users->fault == NULL) {
		ret_users->fault = xstrdup("a value is not base64: let kubectl encode it");
	}
	for (size_t i = 0; i < values.n; i++) {
		value_fini(&values.values[i]);
	}
	free(values.pairs);
	free(values.values);
}

/* NULL = it has none, or none that can be used: then `err` says why. */
static char *read_authorities(
	struct json_object *json, bool is_tls, int64_t *ret_not_after, struct err *err)
{
	static const char *const keys[] = {"ca.crt", "tls.crt"};
	struct value value = {0};
	char *authorities = NULL;

	for (size_t i = 0; i < (is_tls ? 1 : ARRAY_LEN(keys)); i++) {
		bool is_there = find(json, "data", keys[i]) != NULL ||
				find(json, "stringData", keys[i]) != NULL;
		if (is_there) {
			authorities = read_value(json, keys[i], &value, err)
					      ? cert_read_authorities(keys[i], value.bytes,
							value.len, ret_not_after, err)
					      : NULL;
			value_fini(&value);
			return authorities;
		}
	}
	return NULL;
}

/* Borrows the texts. */
static void set_content(struct pieces *pieces, const struct cert *cert)
{
	pieces->fixed.key = (uint8_t)cert->key;
	pieces->fixed.not_before = cert->not_before;
	pieces->fixed.not_after = cert->not_after;
	pieces->texts[TEXT_PEM] = cert->pem;
	pieces->texts[TEXT_NAMES] = cert->names;
	pieces->texts[TEXT_PRINT] = cert->fingerprint;
	pieces->texts[TEXT_DIGEST] = cert->digest;
}

struct object *secret_read(struct object *head, struct json_object *json)
{
	struct pieces pieces = take_apart((const struct secret *)head);
	const char *type = pieces.texts[TEXT_TYPE];
	struct cert cert = {0};
	struct users users = {0};
	CLEANUP(free_ptr) char *version = NULL;
	struct err err = {0};
	struct err authorities_err = {0};
	bool is_tls = type != NULL && strcmp(type, SECRET_TYPE_TLS) == 0;
	CLEANUP(free_ptr)
	char *authorities = read_authorities(
		json, is_tls, &pieces.fixed.authorities_not_after, &authorities_err);
	bool is_ok;

	pieces.texts[TEXT_AUTHORITIES] = authorities;
	pieces.texts[TEXT_AUTHORITIES_FAULT] =
		authorities_err.text[0] != '\0' ? authorities_err.text : NULL;
	if (!is_tls) {
		is_ok = err_set(&err, ERR_INPUT,
			"it is of type '%.100s': create it anew with type " SECRET_TYPE_TLS,
			type ? type : "Opaque");
		read_users(json, &users);
		version = users.text ? make_version(&pieces, json, users.text) : NULL;
		pieces.texts[TEXT_USERS] = users.text;
		pieces.texts[TEXT_USERS_VERSION] = version;
		pieces.texts[TEXT_USERS_FAULT] = users.fault;
	} else {
		is_ok = read_cert(json, &cert, &err);
	}
	wipe(json);
	if (is_ok) {
		set_content(&pieces, &cert);
	} else {
		pieces.fixed.state = SECRET_INVALID;
		pieces.texts[TEXT_FAULT] = err.text;
	}
	struct object *object = put_together(&pieces);
	cert_fini(&cert);
	users_fini(&users);
	free(head);
	return object;
}

struct object *secret_from_pem(
	const char *namespace, const char *name, const char *pem, size_t len, int64_t now)
{
	struct pieces pieces = {.texts = {[TEXT_NAMESPACE] = namespace, [TEXT_NAME] = name}};
	struct cert cert = {0};
	struct err err = {0};

	if (!cert_read(pem, len, pem, len, &cert, &err)) {
		return NULL;
	}
	set_content(&pieces, &cert);
	struct object *object = put_together(&pieces);
	cert_fini(&cert);
	struct object *judged = secret_judge((const struct secret *)object, now);
	if (judged != NULL) {
		object_free(object);
	}
	return judged != NULL ? judged : object;
}

/* ---- time ---- */

static void write_time(char *text, size_t size, int64_t seconds)
{
	time_t time = (time_t)seconds;
	struct tm parts;

	gmtime_r(&time, &parts);
	strftime(text, size, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

static bool is_early(int64_t not_before, int64_t now)
{
	return now < not_before - EARLY_SECONDS;
}

static void look_at_content(struct secret *secret, int64_t now)
{
	secret->has_expired = now >= secret->not_after;
	secret->is_untimely = secret->has_expired || is_early(secret->not_before, now);
}

static struct object *judge_certificate(const struct secret *secret, int64_t now)
{
	struct pieces pieces = take_apart(secret);
	struct err fault = {0};
	char when[40];

	if (pieces.texts[TEXT_PEM] == NULL || secret->state == SECRET_INVALID ||
		secret->state == SECRET_ABSENT) {
		return NULL;
	}
	if (pieces.texts[TEXT_NEXT_PEM] != NULL) {
		if (is_early(secret->next.not_before, now)) {
			return NULL;
		}
		use_next(&pieces);
	}
	pieces.fixed.state = SECRET_GOOD;
	pieces.texts[TEXT_FAULT] = NULL;
	look_at_content(&pieces.fixed, now);
	if (pieces.fixed.has_expired) {
		write_time(when, sizeof(when), pieces.fixed.not_after);
		err_set(&fault, ERR_INPUT, "its certificate expired at %s: renew it", when);
		pieces.fixed.state = SECRET_EXPIRED;
	} else if (pieces.fixed.is_untimely) {
		write_time(when, sizeof(when), pieces.fixed.not_before);
		err_set(&fault, ERR_INPUT,
			"its certificate is not valid before %s: wait, or store "
			"one that is",
			when);
		pieces.fixed.state = SECRET_EARLY;
	}
	if (fault.text[0] != '\0') {
		pieces.texts[TEXT_FAULT] = fault.text;
	}
	if (pieces.fixed.state == secret->state &&
		pieces.fixed.is_untimely == secret->is_untimely) {
		return NULL; /* also when the fault is of a version whose content was not kept */
	}
	return put_together(&pieces);
}

static struct object *judge_certificate_again(const struct secret *secret, int64_t now)
{
	bool is_newest_timed = secret->state == SECRET_GOOD || secret->state == SECRET_EARLY;
	struct object *judged = is_newest_timed ? judge_certificate(secret, now) : NULL;

	if (judged != NULL || !obj_has(secret->pem)) {
		return judged;
	}
	struct pieces pieces = take_apart(secret);
	look_at_content(&pieces.fixed, now);
	if (pieces.fixed.is_untimely == secret->is_untimely &&
		pieces.fixed.has_expired == secret->has_expired) {
		return NULL;
	}
	return put_together(&pieces);
}

/* Takes what was found of the certificate (NULL = nothing), and returns what there is of both. */
static struct object *judge_authorities(
	const struct secret *secret, struct object *judged, int64_t now)
{
	const struct secret *last = judged ? (const struct secret *)judged : secret;
	bool have_expired = obj_has(last->authorities) && now >= last->authorities_not_after;

	if (have_expired == last->have_authorities_expired) {
		return judged;
	}
	struct pieces pieces = take_apart(last);
	pieces.fixed.have_authorities_expired = have_expired;
	struct object *both = put_together(&pieces);
	object_free(judged);
	return both;
}

struct object *secret_judge(const struct secret *secret, int64_t now)
{
	return judge_authorities(secret, judge_certificate(secret, now), now);
}

struct object *secret_judge_again(const struct secret *secret, int64_t now)
{
	return judge_authorities(secret, judge_certificate_again(secret, now), now);
}

/* ---- last good ---- */

static bool is_unusable(const struct secret *secret)
{
	return secret->state == SECRET_ABSENT || secret->state == SECRET_INVALID;
}

/* The authorities that are in it, or were; NULL = none; owned. Those of a certificate without
 * ca.crt are its chain. */
static char *last_authorities(const struct secret *older)
{
	if (obj_has(older->authorities)) {
		return xstrdup(obj_str(older, older->authorities));
	}
	if (obj_has(older->last_authorities)) {
		return xstrdup(obj_str(older, older->last_authorities));
	}
	return obj_has(older->pem) && !is_unusable(older) && !obj_has(older->authorities_fault)
		       ? cert_without_key(obj_str(older, older->pem))
		       : NULL;
}

/* Those of `older` that are to be remembered with `newer`; NULL = none; owned. */
static char *kept_authorities(const struct secret *newer, const struct secret *older)
{
	if (obj_has(newer->authorities) || obj_has(newer->last_authorities)) {
		return NULL;
	}
	return is_unusable(newer) || obj_has(newer->authorities_fault) ? last_authorities(older)
								       : NULL;
}

static bool must_keep_content(const struct secret *newer, const struct secret *older)
{
	if (!obj_has(older->pem)) {
		return false;
	}
	switch ((enum secret_state)newer->state) {
	case SECRET_ABSENT:
	case SECRET_INVALID:
		return !obj_has(newer->pem);
	case SECRET_EXPIRED:
		return older->not_after > newer->not_after;
	case SECRET_EARLY:
		return older->not_before < newer->not_before;
	default:
		return false;
	}
}

/* The content of `older` with everything else of `newer`. */
static struct pieces keep_content(const struct secret *newer, const struct secret *older)
{
	struct pieces pieces = take_apart(older);
	struct pieces news = take_apart(newer);

	set_next(&pieces, newer->state == SECRET_EARLY ? &news : NULL);
	pieces.fixed.state = newer->state;
	pieces.fixed.head.created_seconds = newer->head.created_seconds;
	pieces.texts[TEXT_TYPE] = news.texts[TEXT_TYPE];
	pieces.texts[TEXT_FAULT] = news.texts[TEXT_FAULT];
	/* Of users and authorities nothing but the newest is good: who was taken out must not
	 * come in. (The last authorities are for who has nothing else.) */
	for (size_t i = TEXT_USERS; i <= TEXT_LAST_AUTHORITIES; i++) {
		pieces.texts[i] = news.texts[i];
	}
	pieces.fixed.authorities_not_after = newer->authorities_not_after;
	pieces.fixed.have_authorities_expired = newer->have_authorities_expired;
	return pieces;
}

struct object *secret_keep_last_good(const struct secret *newer, const struct secret *older)
{
	CLEANUP(free_ptr) char *authorities = kept_authorities(newer, older);
	bool must_keep = must_keep_content(newer, older);

	if (!must_keep && authorities == NULL) {
		return NULL;
	}
	struct pieces pieces = must_keep ? keep_content(newer, older) : take_apart(newer);
	if (authorities != NULL) {
		pieces.texts[TEXT_LAST_AUTHORITIES] = authorities;
	}
	return put_together(&pieces);
}

struct object *secret_without_object(const struct secret *secret)
{
	struct pieces pieces = take_apart(secret);
	CLEANUP(free_ptr) char *authorities = NULL;

	if (secret->state == SECRET_ABSENT) {
		return NULL;
	}
	authorities = last_authorities(secret);
	if (!obj_has(secret->pem) && authorities == NULL) {
		return NULL;
	}
	set_next(&pieces, NULL);
	for (size_t i = TEXT_USERS; i <= TEXT_AUTHORITIES_FAULT; i++) {
		pieces.texts[i] = NULL;
	}
	pieces.texts[TEXT_LAST_AUTHORITIES] = authorities;
	pieces.fixed.authorities_not_after = 0;
	pieces.fixed.have_authorities_expired = false;
	pieces.fixed.state = SECRET_ABSENT;
	pieces.texts[TEXT_FAULT] = "it is gone: create it again";
	return put_together(&pieces);
}

struct object *secret_from_authorities(const char *namespace, const char *name, const char *pem)
{
	const struct pieces pieces = {.fixed = {.state = SECRET_INVALID},
		.texts = {[TEXT_NAMESPACE] = namespace,
			[TEXT_NAME] = name,
			[TEXT_AUTHORITIES] = pem}};

	return put_together(&pieces);
}
