/*
 * The tables that tell the decoder (decode.c) where a field stands in JSON and where it goes in an
 * object (object.c).
 *
 * Private to these two and to the tests and fuzz targets that walk a decoded object. To read a new
 * field, add its member to object.h and its row in object.c.
 */
#ifndef HG_KUBE_DECODE_PRIV_H
#define HG_KUBE_DECODE_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kube/object.h"

enum field_type {
	FIELD_TEXT,	  /* struct obj_text */
	FIELD_FIRST_TEXT, /* struct obj_text: the first of a list of strings */
	FIELD_TEXTS,	  /* struct obj_list of struct obj_text: a list of strings */
	FIELD_INT,	  /* int32_t within min..max; 0 when absent */
	FIELD_BOOL,	  /* uint8_t, enum obj_bool */
	FIELD_ENUM,  /* uint8_t from `words`; 0 when absent, `other` for a word that is not there */
	FIELD_TIME,  /* int64_t Unix seconds from RFC 3339; 0 when absent */
	FIELD_GROUP, /* a struct inside the struct, with rows of its own */
	FIELD_LIST,  /* struct obj_list of structs with rows of their own */
	FIELD_MAP,   /* struct obj_list of struct obj_pair, sorted by key */
};

/* What a NUL becomes in texts that the API server does not look into. Who checks such a text
 * refuses this character as well, so that one rule is bad and not the whole object. */
#define FIELD_NUL '\x01'

/* Names of members on the way from the container to the value; labels' keys have dots, so no
 * separator is safe. */
#define FIELD_MAX_PATH 4

/* Of lists in an object's block. */
#define OBJECT_LIST_ALIGNMENT 8

struct field_word {
	const char *word; /* NULL ends the list */
	uint8_t value;
};

struct field {
	const char *path[FIELD_MAX_PATH]; /* the rest NULL */
	enum field_type type;
	uint32_t offset;  /* of the member in its struct */
	bool is_required; /* absent, null or "" is refused */
	uint32_t max_len; /* FIELD_TEXT, FIELD_FIRST_TEXT, FIELD_TEXTS: most bytes; 0 = no own
			     limit. FIELD_MAP: longer values are left out, their keys stay */
	bool takes_nul;	  /* FIELD_TEXT, FIELD_MAP: see FIELD_NUL; without it the whole object is
			     refused */
	bool (*keeps)(const char *key); /* FIELD_MAP: other keys are passed over; NULL = all are
					   read */
	int32_t min, max;		/* FIELD_INT */
	const struct field_word *words; /* FIELD_ENUM */
	uint8_t other;			/* FIELD_ENUM */
	const struct field_table *rows; /* FIELD_GROUP, FIELD_LIST */
	const char *only_if;	/* read only when the member of this name beside the value … */
	const char *only_if_is; /* … is this text */
};

struct field_table {
	const struct field *fields;
	size_t n_fields;
	uint32_t item_size; /* sizeof the struct that the rows fill */
};

struct object_schema {
	struct field_table table; /* beyond what every object has */
	bool is_namespaced;
};

/* What every object has: rows for struct object. */
extern const struct field_table object_head_table;

extern const struct object_schema object_schemas[KUBE_KIND_COUNT];

#endif
