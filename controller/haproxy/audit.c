/* See audit.h. The steps are taken in the order of steps[]; each gives one or more slices. */
#include "haproxy/audit.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "haproxy/encode.h"
#include "haproxy/readout.h"

/* The pause after a slice, in times of what the slice took. */
#define PAUSE_FACTOR 4
#define PAUSE_MAX_MS 50

/* Foreign backends that one audit deals with; the next one goes on. */
#define MAX_FOREIGN AUDIT_BATCH

/* Backends of one round, or more by what the last shard has. */
#define ROUND_BACKENDS 1000

struct names {
	char **items; /* owned */
	size_t n;
};

/* Questions whose differences are judged together: between the first of them and the last verdict
 * it is known what passes touch. */
struct round {
	struct readout_question *questions; /* owned */
	bool *is_suspect;		    /* owned; by question: its answer differed */
	size_t n_questions;
	size_t next;	    /* first question that has not been sent */
	struct names names; /* of the backends that the questions are about */
	bool is_open;
};

struct audit {
	struct audit_target target;
	struct audit_callbacks callbacks;
	struct cli *side;    /* for maps; NULL when it has served */
	struct event *event; /* the next slice */
	struct drift_look look;
	struct readout readout;
	struct audit_counts counts;

	unsigned step;
	enum model_map map;
	unsigned shard;
	struct names foreign; /* backends that are listed and not known */
	struct round round;

	size_t current;		   /* the question whose answer is being read */
	size_t n_different_before; /* look.n_different, before that answer */
	bool is_there;		   /* what was asked for */
	uint64_t start_us;	   /* of the slice */

	bool is_pass_running;
	bool is_round_due; /* its time has come, in the middle of a pass */
};

static void on_side_lost(void *ctx, const char *text);
static void on_event(evutil_socket_t fd, short what, void *ctx);
static void go_on(struct audit *audit);
static void pause_for(struct audit *audit, uint64_t wait_us);
static bool next_round(struct audit *audit);
static bool ask_who(struct audit *audit);
static bool ask_map(struct audit *audit);
static bool ask_listing(struct audit *audit);
static bool ask_backends(struct audit *audit);
static bool ask_foreign(struct audit *audit);
static bool ask_certificates(struct audit *audit);
static void take_names(struct names *names, const struct table *backends);
static void free_names(struct names *names);
static void free_round(struct round *round);
static void send_slice(struct audit *audit);
static void begin_answer(struct audit *audit);
static void on_line(void *ctx, const char *line);
static bool take(struct audit *audit, const struct fact *fact);
static void on_answer(void *ctx, const char *text);
static bool end_answer(struct audit *audit);
static void end_slice(struct audit *audit);
static void begin_verdict(struct audit *audit);
static void end_round(struct audit *audit);
static void report_drift(void *ctx, const struct drift *drift);
static void fail(struct audit *audit, enum err_kind kind, const char *text);
static void finish(struct audit *audit, const struct err *err);
static void release(struct audit *audit);

/* Each adds the questions of its next round, if it has one; true = that was its last. */
static bool (*const steps[])(struct audit *audit) = {
	ask_who, ask_map, ask_listing, ask_backends, ask_foreign, ask_certificates};

struct audit *audit_start(
	const struct audit_target *target, const struct audit_callbacks *callbacks)
{
	struct audit *audit = xcalloc(1, sizeof(*audit));
	struct event_base *base = cli_base(target->cli);

	audit->target = *target;
	audit->callbacks = *callbacks;
	audit->side = cli_new(base, on_side_lost, audit);
	cli_set_reads_per_turn(audit->side, 1);
	audit->event = evtimer_new(base, on_event, audit);
	assert(audit->event != NULL);
	drift_look_init(&audit->look, target->applied, target->model, report_drift, audit);
	readout_init(&audit->readout, target->map_dir);
	pause_for(audit, 0);
	return audit;
}

void audit_cancel(struct audit *audit)
{
	if (audit != NULL) {
		release(audit);
	}
}

void audit_on_pass(struct audit *audit, const struct plan *plan)
{
	audit->is_pass_running = true;
	if (audit->round.is_open) {
		drift_touch(&audit->look, plan);
	}
}

void audit_on_rest(struct audit *audit)
{
	audit->is_pass_running = false;
	/* At once: the next pass may begin before the next turn of the loop. */
	if (audit->is_round_due) {
		go_on(audit);
	}
}

static void on_side_lost(void *ctx, const char *text)
{
	fail(ctx, ERR_RETRY, text);
}

static void pause_for(struct audit *audit, uint64_t wait_us)
{
	struct timeval wait = {(time_t)(wait_us / 1000000), (suseconds_t)(wait_us % 1000000)};

	event_add(audit->event, &wait);
}

/* Only the first question of a round needs quiet: what is touched from then on is known. */
static void on_event(evutil_socket_t fd, short what, void *ctx)
{
	struct audit *audit = ctx;

	(void)fd;
	(void)what;
	go_on(audit);
}

static void go_on(struct audit *audit)
{
	audit->is_round_due = !audit->round.is_open && audit->is_pass_running;
	if (audit->is_round_due) {
		return;
	}
	if (audit->round.is_open || next_round(audit)) {
		audit->round.is_open = true;
		send_slice(audit);
	} else {
		finish(audit, NULL);
	}
}

/* ---- what to ask ---- */

static bool next_round(struct audit *audit)
{
	while (audit->round.n_questions == 0 && audit->step < ARRAY_LEN(steps)) {
		if (steps[audit->step](audit)) {
			audit->step++;
		}
	}
	audit->round.is_suspect =
		xcalloc(audit->round.n_questions, sizeof(*audit->round.is_suspect));
	return audit->round.n_questions > 0;
}

static struct readout_question *add_question(struct audit *audit, enum readout_kind kind)
{
	struct round *round = &audit->round;

	round->questions =
		xreallocarray(round->questions, round->n_questions + 1, sizeof(*round->questions));
	struct readout_question *question = &round->questions[round->n_questions++];
	*question = (struct readout_question){.kind = kind};
	return question;
}

/* About each of the round's backends. */
static void add_backends(struct audit *audit)
{
	for (size_t i = 0; i < audit->round.names.n; i++) {
		add_question(audit, READOUT_SERVERS_OF)->backend = audit->round.names.items[i];
	}
}

static bool ask_who(struct audit *audit)
{
	(void)add_question(audit, READOUT_INFO);
	return true;
}

static bool ask_map(struct audit *audit)
{
	add_question(audit, READOUT_MAP)->map = audit->map;
	audit->map = (enum model_map)((int)audit->map + 1);
	return audit->map == MODEL_MAP_COUNT;
}

static size_t count_backends(const struct applied *applied)
{
	size_t n = 0;

	for (int shard = 0; shard < APPLIED_SHARDS; shard++) {
		n += applied->backends[shard].n_items;
	}
	return n;
}

static bool ask_listing(struct audit *audit)
{
	/* The maps have been looked at. */
	cli_free(audit->side);
	audit->side = NULL;
	if (audit->target.caps.can_add_backend &&
		count_backends(audit->target.applied) <= AUDIT_MAX_LISTED) {
		(void)add_question(audit, READOUT_BACKENDS);
	}
	return true;
}

static bool ask_backends(struct audit *audit)
{
	while (audit->round.names.n < ROUND_BACKENDS && audit->shard < APPLIED_SHARDS) {
		take_names(&audit->round.names, &audit->target.applied->backends[audit->shard++]);
	}
	add_backends(audit);
	return audit->shard == APPLIED_SHARDS;
}

static bool ask_foreign(struct audit *audit)
{
	free_names(&audit->round.names);
	audit->round.names = audit->foreign;
	audit->foreign = (struct names){0};
	add_backends(audit);
	return true;
}

static bool ask_certificates(struct audit *audit)
{
	if (audit->target.caps.has_tls) {
		/* The list first: what is in it counts. */
		(void)add_question(audit, READOUT_LIST);
		(void)add_question(audit, READOUT_CERTIFICATES);
		(void)add_question(audit, READOUT_AUTHORITIES);
		(void)add_question(audit, READOUT_DEFAULT);
	}
	return true;
}

/* Copies: the table may change while they are asked for. */
static void take_names(struct names *names, const struct table *backends)
{
	const struct applied_backend *backend;

	names->items = xreallocarray(names->items, names->n + backends->n_items, sizeof(char *));
	TABLE_FOREACH (backends, backend) {
		names->items[names->n++] = xstrdup(backend->name);
	}
}

static void free_names(struct names *names)
{
	for (size_t i = 0; i < names->n; i++) {
		free(names->items[i]);
	}
	free(names->items);
	*names = (struct names){0};
}

static void free_round(struct round *round)
{
	free(round->questions);
	free(round->is_suspect);
	free_names(&round->names);
	*round = (struct round){0};
}

/* ---- questions and answers ---- */

static void send_slice(struct audit *audit)
{
	struct buf command = BUF_INIT(ENCODE_MAX_LINE);
	struct err err = {0};

	if (audit->side != NULL && !cli_is_connected(audit->side) &&
		!cli_connect(audit->side, audit->target.runtime_socket, &err)) {
		finish(audit, &err);
		return;
	}
	struct round *round = &audit->round;
	audit->start_us = clock_now_us();
	audit->current = round->next;
	begin_answer(audit);
	for (int i = 0; i < AUDIT_BATCH && round->next < round->n_questions; i++) {
		buf_clear(&command);
		/* What `applied` has could be asked for when it was read back or added. */
		bool is_ok = readout_ask(
			&command, &round->questions[round->next++], audit->target.map_dir);
		assert(is_ok);
		cli_send_lines(audit->side != NULL ? audit->side : audit->target.cli,
			buf_str(&command), on_line, on_answer, audit);
	}
	buf_fini(&command);
}

static void begin_answer(struct audit *audit)
{
	const struct readout_question *question = &audit->round.questions[audit->current];

	readout_begin(&audit->readout, question->kind);
	audit->n_different_before = audit->look.n_different;
	audit->is_there = true;
	if (question->kind == READOUT_MAP) {
		drift_begin_map(&audit->look, question->map);
	} else if (question->kind == READOUT_LIST) {
		audit->is_there = false;
		drift_begin_certificates(&audit->look);
	}
}

static void on_line(void *ctx, const char *line)
{
	struct audit *audit = ctx;
	struct fact fact;

	if (!readout_line(&audit->readout, line, &fact)) {
		CLEANUP(free_ptr)
		char *text = xasprintf("HAProxy said what is not understood: %.200s", line);
		fail(audit, ERR_PROTO, text);
	} else if (!take(audit, &fact)) {
		fail(audit, ERR_RETRY, "another HAProxy worker answered");
	}
}

static void take_server(struct audit *audit, const struct fact *fact)
{
	CLEANUP(free_ptr) char *name = xstrdup(fact->name);
	CLEANUP(free_ptr) char *address = xstrdup(fact->value);
	const struct applied_server found = {
		.name = name, .address = address, .admin = (uint8_t)fact->admin};

	drift_see_server(&audit->look, fact->backend, &found);
	audit->counts.n_servers += !audit->look.is_verdict;
}

/* It is asked about when the known ones have been. One that can't be asked about is nothing that we
 * would have made. */
static void take_listed_backend(struct audit *audit, const char *name)
{
	struct names *foreign = &audit->foreign;
	struct buf word = BUF_INIT(ENCODE_MAX_LINE);

	if (foreign->n < MAX_FOREIGN && drift_is_foreign(&audit->look, name) &&
		encode_cli_word(&word, name)) {
		foreign->items = xreallocarray(foreign->items, foreign->n + 1, sizeof(char *));
		foreign->items[foreign->n++] = xstrdup(name);
	}
	buf_fini(&word);
}

/* False = it is another worker. */
static bool take(struct audit *audit, const struct fact *fact)
{
	struct drift_look *look = &audit->look;
	size_t one = !look->is_verdict;

	switch (fact->kind) {
	case FACT_PID:
		return (long)fact->number == audit->target.pid;
	case FACT_BACKEND:
		take_listed_backend(audit, fact->name);
		break;
	case FACT_NO_BACKEND:
		audit->is_there = false;
		break;
	case FACT_SERVER:
		take_server(audit, fact);
		break;
	case FACT_ENTRY:
		audit->counts.n_entries += one;
		drift_see_entry(
			look, audit->round.questions[audit->current].map, fact->name, fact->value);
		break;
	case FACT_LIST:
		audit->is_there = true;
		break;
	case FACT_LISTED:
		audit->counts.n_certificates += one;
		drift_see_listed(look, fact->name, fact->value);
		break;
	case FACT_CERTIFICATE:
		drift_see_certificate(look, fact->name);
		break;
	case FACT_FINGERPRINT:
		drift_see_default(look, fact->value);
		break;
	case FACT_NONE:
	case FACT_VERSION:
	case FACT_COMMAND:
	case FACT_TRANSACTION: /* ours, perhaps */
	case FACT_AUTHORITIES_TRANSACTION:
	case FACT_SETTINGS: /* not asked for */
	case FACT_CONFIGURATION:
	case FACT_PORTS:
		break;
	}
	return true;
}

static void on_answer(void *ctx, const char *text)
{
	struct audit *audit = ctx;

	if (text == NULL) {
		fail(audit, ERR_RETRY, "the connection to HAProxy was lost");
		return;
	}
	if (!readout_is_complete(&audit->readout) || !end_answer(audit)) {
		fail(audit, ERR_PROTO, "an answer of HAProxy ended too early");
		return;
	}
	audit->round.is_suspect[audit->current] =
		audit->look.n_different != audit->n_different_before;
	if (++audit->current == audit->round.next) {
		end_slice(audit);
	} else {
		begin_answer(audit);
	}
}

/* False = something that must be there was not said. */
static bool end_answer(struct audit *audit)
{
	const struct readout_question *question = &audit->round.questions[audit->current];

	switch (question->kind) {
	case READOUT_MAP:
		drift_end_map(&audit->look, question->map);
		break;
	case READOUT_SERVERS_OF:
		audit->counts.n_backends += !audit->look.is_verdict && audit->is_there;
		drift_end_backend(&audit->look, question->backend, audit->is_there);
		break;
	case READOUT_DEFAULT:
		drift_end_certificates(&audit->look);
		break;
	default:
		return audit->is_there;
	}
	return true;
}

static void end_slice(struct audit *audit)
{
	uint64_t wait_us = (clock_now_us() - audit->start_us) * PAUSE_FACTOR;

	if (audit->look.is_verdict) {
		audit->callbacks.on_repair(audit->callbacks.ctx, &audit->look.repair);
		model_delta_fini(&audit->look.repair);
		audit->look.repair = (struct model_delta){0};
	}
	pause_for(audit, wait_us < PAUSE_MAX_MS * 1000 ? wait_us : PAUSE_MAX_MS * 1000);
	if (audit->round.next < audit->round.n_questions) {
		return;
	}
	if (audit->look.is_verdict) {
		end_round(audit);
	} else {
		begin_verdict(audit);
	}
}

/* Of several backends only those that differed are asked for again; of certificates everything, as
 * the answers belong together. */
static void begin_verdict(struct audit *audit)
{
	struct round *round = &audit->round;
	size_t n_suspects = 0;
	size_t n = 0;

	for (size_t i = 0; i < round->n_questions; i++) {
		n_suspects += round->is_suspect[i];
		if (round->is_suspect[i] || round->questions[i].kind != READOUT_SERVERS_OF) {
			round->questions[n++] = round->questions[i];
		}
	}
	if (n_suspects == 0) {
		end_round(audit);
		return;
	}
	round->n_questions = n;
	round->next = 0;
	audit->look.is_verdict = true;
	pause_for(audit, AUDIT_VERDICT_MS * 1000);
}

static void end_round(struct audit *audit)
{
	audit->look.is_verdict = false;
	free_round(&audit->round);
	drift_forget_touched(&audit->look);
}

/* ---- the end ---- */

static void report_drift(void *ctx, const struct drift *drift)
{
	const struct audit *audit = ctx;

	audit->callbacks.on_drift(audit->callbacks.ctx, drift);
}

static void fail(struct audit *audit, enum err_kind kind, const char *text)
{
	struct err err = {0};

	(void)err_set(&err, kind, "%s", text);
	finish(audit, &err);
}

static void finish(struct audit *audit, const struct err *err)
{
	audit->callbacks.on_done(audit->callbacks.ctx, &audit->counts, err);
	release(audit);
}

static void release(struct audit *audit)
{
	cli_forget(audit->target.cli, audit);
	cli_free(audit->side);
	event_free(audit->event);
	drift_look_fini(&audit->look);
	readout_fini(&audit->readout);
	free_round(&audit->round);
	free_names(&audit->foreign);
	free(audit);
}
