/*
 * A certificate with its chain and key, as a Secret brings them, made into what HAProxy takes; or
 * what is wrong with it, in words. Pure: no I/O, no clock.
 *
 * What is read leniently: line ends, a byte order mark, text between the PEM blocks, blocks of
 * other types, the order of the certificates (the leaf is the one that the key belongs to, the
 * chain is followed from issuer to issuer). Certificates that are not part of the chain are left
 * out, and so is the self-signed one at its end, which no client needs to be sent.
 *
 * What is refused: what OpenSSL can't read, a key that is encrypted, missing, there twice or of
 * another certificate, keys and signatures that TLS clients or OpenSSL's security level 2 do not
 * take, and what is over one of the limits below.
 *
 * Sources: RFC 7468 (PEM), RFC 5280 (X.509), RFC 6125 (names), SSL_CTX_set_security_level(3).
 */
#ifndef HG_CERT_CERT_H
#define HG_CERT_CERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

/* Bytes of one PEM text, and certificates in it. A real chain has two to four. */
#define CERT_MAX_INPUT 65536
#define CERT_MAX_CHAIN 16

/* Bytes of leaf, chain and key together as they are written: what HAProxy's command line takes at
 * once is 15,000 bytes with the command. */
#define CERT_MAX_PEM 14000

#define CERT_MIN_RSA_BITS 2048
#define CERT_MAX_RSA_BITS 8192

#define CERT_FINGERPRINT_SIZE 41
#define CERT_DIGEST_SIZE      65

/* A server has at most one certificate of each for a name, and picks by what the client takes. */
enum cert_key { CERT_KEY_RSA, CERT_KEY_ECDSA, CERT_KEY_OTHER, CERT_KEY_COUNT };

struct cert {
	char *pem;   /* leaf, chain, key, as OpenSSL writes them; owned, wiped when freed */
	char *names; /* what it is for, lower case, blanks between: the DNS names of the subject's
			alternative names, or the common name when there are none; owned */
	char fingerprint[CERT_FINGERPRINT_SIZE]; /* SHA-1 of the leaf, upper-case hexadecimal */
	char digest[CERT_DIGEST_SIZE];		 /* SHA-256 of `pem`, lower-case hexadecimal */
	int64_t not_before;			 /* Unix seconds, of the leaf */
	int64_t not_after;
	enum cert_key key;
};

/*
 * Reads `crt` (certificates) and `key` (one private key). On failure `err` (ERR_INPUT) says which
 * of the two ("tls.crt", "tls.key") is wrong, OpenSSL's reason where it has one, and the remedy.
 * Neither text holds bytes of the key. `ret_cert` is released with cert_fini().
 */
bool cert_read(const char *crt, size_t crt_len, const char *key, size_t key_len,
	struct cert *ret_cert, struct err *err) MUST_USE;
void cert_fini(struct cert *cert);

/*
 * Reads the authorities in `text`: every certificate, as OpenSSL writes them, in their order, each
 * once; blocks of other types are left out. NULL: `err` (ERR_INPUT) says what is wrong with
 * `what`, which is the key that holds it, and the remedy. At most CERT_MAX_PEM bytes; the caller
 * frees it. `ret_not_after`: when the last of them expires, in Unix seconds. Whether one of them
 * has is for the TLS handshake to find.
 */
char *cert_read_authorities(const char *what, const char *text, size_t len, int64_t *ret_not_after,
	struct err *err) MUST_USE;

/* The certificates of a `pem` as in struct cert, without the key behind them; the caller frees
 * them.
 */
char *cert_without_key(const char *pem) MUST_USE;

/* Is one of the blank-separated names for this host: the same, or "*." and the host without its
 * first label? A host "*.a.test" is only under that very name. */
bool cert_names_have(const char *names, const char *host) MUST_USE;

#endif
