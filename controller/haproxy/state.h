/*
 * The state directory: everything that HAProxy needs to serve the last committed state without the
 * controller.
 *
 *   STATE/current -> gen.42          symbolic link, replaced atomically
 *
 *   STATE/gen.42/hosts.map …         one file a map (model/maps.def)
 *
 *   STATE/gen.42/backends/00.cfg …   backend sections with their servers, by name in APPLIED_SHARDS
 * files
 *
 *   STATE/gen.42/certs/NAME.pem      a certificate, its chain and key (folder 700, file 600)
 *
 *   STATE/gen.42/certs.list          which client name gets which certificate; the default is first
 *
 *   STATE/tickets.keys               the keys of TLS tickets (haproxy/tickets; file 600)
 *
 *   STATE/settings.cfg               what holds for the whole of HAProxy (model_settings())
 *
 *   STATE/settings/NAME              what these name (model_settings_files())
 *
 * HAProxy is started with `-f STATE/settings.cfg -f <config-dir> -f STATE/current/backends`, and
 * knows the maps as STATE/current/<file>. Files that did not change are hard links into the
 * generation before, so saving costs what changed. The newest two generations are kept.
 */
#ifndef HG_HAPROXY_STATE_H
#define HG_HAPROXY_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "plan/applied.h"

struct state;
struct ticket_keys;

/*
 * Opens the directory, creating it and an empty generation when there is none; leftovers of a write
 * that was cut off are removed. Takes a lock file (STATE/lock): a second controller on the same
 * directory is refused (ERR_INPUT). ERR_DENIED / ERR_INPUT name the folder and the remedy.
 */
struct state *state_open(const char *directory, struct err *err) MUST_USE;
void state_close(struct state *state);

/* STATE/current, without slash at the end. */
const char *state_map_dir(const struct state *state) MUST_USE;
/* STATE/current/backends */
const char *state_backends_dir(const struct state *state) MUST_USE;

/*
 * Writes what `applied` marks as unsaved into a new generation and clears the marks; on failure the
 * marks stay and `current` is what it was. Waits for the disk: one fsync(2) for each file that
 * changed and four for folders. ERR_INPUT also when haproxy/encode refuses something; the text
 * names it.
 */
bool state_save(struct state *state, struct applied *applied, struct err *err) MUST_USE;

/* Everything, whatever the marks say: used before a reload and when `applied` was read back. */
bool state_save_all(struct state *state, struct applied *applied, struct err *err) MUST_USE;

/* A child of ours has saved: goes on from the generation that is current now. */
void state_follow(struct state *state);

/*
 * Somebody has removed the directory: makes it again, with its lock and an empty generation.
 * Nothing happens while it is there. To be called after a failed save; everything has to be saved
 * then.
 */
bool state_reopen(struct state *state, struct err *err) MUST_USE;

/* Does the generation hold at least one route? (Somebody would miss HAProxy.) */
bool state_has_routes(const struct state *state) MUST_USE;

/*
 * Where saves find the content of certificates; borrowed until the next call or state_close(). A
 * certificate that `applied` has and the model has not is taken over from the generation before;
 * one that is not there either can't be written, and is left out. There always is a default: until
 * the model has had one, a self-signed certificate made here.
 */
void state_use_model(struct state *state, const struct model *model);

/* Calls `each` for every certificate of the current generation, the default too, by its name; in no
 * particular order. Its argument is borrowed for the call. */
typedef void (*state_certificate_fn)(void *ctx, const char *name);
void state_each_certificate(const struct state *state, state_certificate_fn each, void *ctx);

/* Appends the content of one of them, which has a key: `pem` must be marked secret (asserted).
 * False = there is none that can be read. */
bool state_read_certificate(const struct state *state, const char *name, struct buf *pem) MUST_USE;

/*
 * The TLS ticket keys in the file and when they were written (Unix time). A file that is missing or
 * damaged is made anew, and the log says so: whoever has a ticket then makes a whole handshake, no
 * more; the time is then 0, as a HAProxy that runs has others. The caller wipes the keys
 * (tickets_wipe). ERR_DENIED, ERR_INPUT: the file can't be written;
 * ERR_RETRY: no random bytes.
 */
bool state_read_tickets(struct state *state, struct ticket_keys *ret_keys, int64_t *ret_time,
	struct err *err) MUST_USE;

/* The same without the keys: HAProxy, which doesn't start without the file, can be started.
 * state_open(), state_reopen() and state_save_all() see to it, too. */
bool state_check_tickets(struct state *state, struct err *err) MUST_USE;

/* Puts a new key into the file, in the place of the oldest, at once or not at all; these are the
 * keys from now on. Errors as above: then the file is what it was. */
bool state_rotate_tickets(
	struct state *state, struct ticket_keys *ret_keys, struct err *err) MUST_USE;

/* STATE/tickets.keys, as HAProxy knows it. */
const char *state_tickets_file(const struct state *state) MUST_USE;

/*
 * Settings on trial: what HAProxy reads at its next start or reload, with the files that they name,
 * which the model has. Those before stay beside them until it is known whether it takes them.
 * Errors as above, and ERR_INPUT when haproxy/encode refuses them: then the
 * file is what it was.
 */
bool state_try_settings(struct state *state, const char *settings, struct err *err) MUST_USE;

/* HAProxy has not taken them: those before are on disk again. Nothing happens when none are on
 * trial. */
void state_undo_settings(struct state *state);

/* HAProxy runs with the settings of this digest ("" = not known: nothing happens): they are what is
 * on disk from now on, if they are there, on trial or before, or are `settings`. */
void state_settle_settings(struct state *state, const char *digest, const char *settings);

/* Sees to it that there is a file, of the standard settings when nobody knows better: HAProxy
 * doesn't start without it. state_open(), state_reopen() and state_save_all() do so, too. */
bool state_check_settings(struct state *state, struct err *err) MUST_USE;

#define STATE_FILE_NAME_SIZE 40

/* The authorities that clients are verified against by the settings on disk: the name of their file
 * and what is in it, which is appended. False = there are none, or they can't be read. */
bool state_read_client_ca(
	const struct state *state, char ret_name[STATE_FILE_NAME_SIZE], struct buf *pem) MUST_USE;

/* STATE/settings.cfg */
const char *state_settings_file(const struct state *state) MUST_USE;

/* How many bytes the last save wrote. */
size_t state_last_size(const struct state *state) MUST_USE;

#endif
