/* Shared by the files state*.c only: a generation that is being written. */
#ifndef HG_HAPROXY_STATE_PRIV_H
#define HG_HAPROXY_STATE_PRIV_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "haproxy/encode.h"
#include "haproxy/state.h"

#define CURRENT "current"

/* Names below a generation. */
#define STATE_CERTS	   ENCODE_CERTS_DIR
#define STATE_CERTS_LIST   ENCODE_CERTS_LIST
#define STATE_CERTS_SUFFIX ENCODE_CERT_SUFFIX

/* Beside the generations. */
#define STATE_TICKETS  "tickets.keys"
#define STATE_SETTINGS "settings.cfg"
#define STATE_FILES    "settings" /* what those name */

#define NAME_SIZE 64

struct state {
	char *directory; /* as given, without slashes at the end: HAProxy knows the maps by this
			    name */
	char *map_dir;
	char *backends_dir;
	char *tickets_file;
	char *settings_file;
	char *settings; /* what this process has written last; NULL = it has not */
	struct state_file {
		char *name;
		char *content; /* as in struct model_file */
	} * files;	       /* that `settings` name; owned */
	size_t n_files;
	int fd;	      /* the directory */
	int lock_fd;  /* holds the lock as long as it is open */
	uint64_t gen; /* number of the generation that `current` points to; 0 = none */
	size_t last_size;
	const struct model *model; /* has the certificates' content; NULL = nobody has */
};

/* A generation that is being written. */
struct draft {
	struct state *state;
	const struct applied *applied;
	bool is_full;	  /* write everything, whatever the marks say */
	bool is_recovery; /* `applied` is empty: what is there must not be replaced by it */
	uint64_t gen;
	int fd;	    /* STATE/gen.N */
	int old_fd; /* the generation before; -1 = none */
	int backends_fd;
	int old_backends_fd;
	int certs_fd;
	int old_certs_fd;
	size_t size;
};

/* What a file is to have. */
struct state_content {
	const char *data;
	size_t size;
	mode_t mode;
};

enum link_result { LINKED, NOT_LINKED, LINK_FAILED };

/* Says what went wrong with something in the directory (errno), and what to do. Always false. */
bool state_fail(const struct state *state, const char *what, struct err *err);

/* The encoder refused something: says what, as far as it can be printed. Always false. */
bool state_refuse(const struct draft *draft, const char *what, const char *name, struct err *err);

/* Takes over a file of the generation before. Some file systems have no hard links: then it is
 * written anew. */
enum link_result state_link_file(
	const struct draft *draft, int old_fd, int fd, const char *name) MUST_USE;

/* Writes a new file into a folder of the draft, and waits until it is on the disk. */
bool state_write_file(struct draft *draft, int fd, const char *name,
	const struct state_content *content, struct err *err) MUST_USE;

/* Replaces a file beside the generations as a whole, or not at all; waits for the disk. */
bool state_replace_file(struct state *state, const char *name, const struct state_content *content,
	struct err *err) MUST_USE;

/* Frees what is remembered of settings. */
void state_forget_settings(struct state *state);

/* The folder of certificates and their list. */
bool state_write_certs(struct draft *draft, struct err *err) MUST_USE;

#endif
