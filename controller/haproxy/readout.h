/*
 * What HAProxy says about itself, taken apart line by line into facts: the one reader of its
 * listings, for whoever asks (observe: everything; audit: piece by piece). Pure.
 *
 * A line that does not look as it does in HAProxy 2.6 to 3.4 is refused, so that nothing is made of
 * an answer that is not understood. What is not ours (other backends, keys that we could not write,
 * certificates in other folders) gives no fact.
 */
#ifndef HG_HAPROXY_READOUT_H
#define HG_HAPROXY_READOUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"
#include "plan/applied.h"

enum readout_kind {
	READOUT_INFO,	      /* show info */
	READOUT_HELP,	      /* help */
	READOUT_BACKENDS,     /* show backend */
	READOUT_SERVERS,      /* show servers state */
	READOUT_SERVERS_OF,   /* show servers state BACKEND */
	READOUT_MAP,	      /* show map MAP */
	READOUT_LIST,	      /* show ssl crt-list -n LIST */
	READOUT_CERTIFICATES, /* show ssl cert */
	READOUT_AUTHORITIES,  /* show ssl ca-file */
	READOUT_DEFAULT,      /* show ssl cert of the default certificate */
	READOUT_SETTINGS, /* show env of the variable that says which settings it was started with
			   */
	READOUT_CONFIGURATION, /* show env of the variable that says which constant configuration
				  it was started with */
	READOUT_PORTS,	       /* the same of the one with the ports of TCP services */
};

struct readout_question {
	enum readout_kind kind;
	enum model_map map;  /* READOUT_MAP */
	const char *backend; /* READOUT_SERVERS_OF */
};

enum fact_kind {
	FACT_NONE,	  /* the line says nothing that matters */
	FACT_VERSION,	  /* value */
	FACT_PID,	  /* number */
	FACT_COMMAND,	  /* name: a line of `help`, without the blanks before it */
	FACT_BACKEND,	  /* name */
	FACT_NO_BACKEND,  /* the one that was asked for is not there */
	FACT_SERVER,	  /* backend, name, value (address as model_server.address), admin */
	FACT_ENTRY,	  /* name (the key), value */
	FACT_LIST,	  /* the list of certificates is there */
	FACT_LISTED,	  /* name and value (its hosts) of a certificate in the list */
	FACT_CERTIFICATE, /* name of a certificate, or of a file of authorities, in memory;
			     value: "" when that is known to have content */
	FACT_AUTHORITIES_TRANSACTION, /* the same of a file of authorities */
	FACT_TRANSACTION,   /* name, as HAProxy has it, of the one whose transaction is open */
	FACT_FINGERPRINT,   /* value: of the certificate that was asked for */
	FACT_SETTINGS,	    /* value: their digest */
	FACT_CONFIGURATION, /* value: its digest */
	FACT_PORTS,	    /* value: as applied->ports */
};

/* Texts are borrowed until the next line. */
struct fact {
	enum fact_kind kind;
	const char *backend;
	const char *name;
	const char *value;
	unsigned long number;
	enum applied_admin admin;
};

/* The columns of `show servers state` that we want. */
enum readout_column {
	READOUT_COLUMN_BACKEND,
	READOUT_COLUMN_SERVER,
	READOUT_COLUMN_ADDRESS,
	READOUT_COLUMN_ADMIN,
	READOUT_COLUMN_PORT,
	READOUT_COLUMN_COUNT
};

struct readout {
	enum readout_kind kind;
	const char *map_dir; /* borrowed: folder of the map files as HAProxy knows it */
	size_t n_lines;	     /* of this answer, so far */
	bool is_transaction; /* in `show ssl cert`: the open transaction comes next */
	unsigned n_columns;
	unsigned columns[READOUT_COLUMN_COUNT];
	struct buf columns_line; /* that said so; it may come again */
	unsigned n_columns_before;
	struct buf scratch; /* a line that is being taken apart */
	struct buf address;
};

void readout_init(struct readout *readout, const char *map_dir);
void readout_fini(struct readout *readout);

/* Appends the command that asks. False: it can't be written (a folder of odd characters). */
bool readout_ask(
	struct buf *buf, const struct readout_question *question, const char *map_dir) MUST_USE;

/* An answer of this kind begins. */
void readout_begin(struct readout *readout, enum readout_kind kind);

/* One line of it, without line feed. False = not understood. */
bool readout_line(struct readout *readout, const char *line, struct fact *ret_fact) MUST_USE;

/* The answer has ended: may it end here? */
bool readout_is_complete(const struct readout *readout) MUST_USE;

#endif
