/* See verifier.h. Called by endpoint.c. */
#include "auth/verifier.h"

#include <assert.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "auth/password.h"
#include "base/alloc.h"

struct question {
	struct question *next;
	char *group; /* owned, like the two below */
	char *hash;
	char *password;
	verifier_fn on_checked;
	void *ctx;
	bool is_right;
};

struct verifier {
	pthread_t thread;
	int bell; /* an eventfd: something was checked */
	struct event *event;
	size_t n_taken; /* not answered yet; the loop's own */

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t has_work;
	struct question *first; /* the first is under way */
	struct question *done;	/* the latest first */
	bool is_ending;
};

static void free_secret_text(char *text)
{
	OPENSSL_cleanse(text, strlen(text));
	free(text);
}

static void free_questions(struct question *question)
{
	while (question != NULL) {
		struct question *next = question->next;
		free_secret_text(question->hash);
		free_secret_text(question->password);
		free(question->group);
		free(question);
		question = next;
	}
}

/* ---- the thread ---- */

/* NULL = the end. */
static struct question *wait_for_work(struct verifier *verifier)
{
	pthread_mutex_lock(&verifier->lock);
	while (verifier->first == NULL && !verifier->is_ending) {
		pthread_cond_wait(&verifier->has_work, &verifier->lock);
	}
	struct question *question = verifier->is_ending ? NULL : verifier->first;
	pthread_mutex_unlock(&verifier->lock);
	return question;
}

static void hand_over(struct verifier *verifier, struct question *question)
{
	const uint64_t one = 1;

	pthread_mutex_lock(&verifier->lock);
	verifier->first = question->next;
	question->next = verifier->done;
	verifier->done = question;
	pthread_mutex_unlock(&verifier->lock);
	/* An eventfd takes so many that it is never full. */
	(void)!write(verifier->bell, &one, sizeof(one));
}

static void *work(void *ctx)
{
	struct verifier *verifier = ctx;
	struct question *question;

	while ((question = wait_for_work(verifier)) != NULL) {
		question->is_right = password_matches(question->hash, question->password);
		hand_over(verifier, question);
	}
	return NULL;
}

/* ---- the loop ---- */

static struct question *take_done(struct verifier *verifier)
{
	struct question *ordered = NULL;

	pthread_mutex_lock(&verifier->lock);
	while (verifier->done != NULL) {
		struct question *question = verifier->done;
		verifier->done = question->next;
		question->next = ordered;
		ordered = question;
	}
	pthread_mutex_unlock(&verifier->lock);
	return ordered;
}

static void on_bell(evutil_socket_t fd, short events, void *ctx)
{
	struct verifier *verifier = ctx;
	uint64_t n;

	(void)events;
	(void)!read(fd, &n, sizeof(n));
	struct question *done = take_done(verifier);
	while (done != NULL) {
		struct question *question = done;
		done = question->next;
		question->next = NULL;
		verifier->n_taken--;
		question->on_checked(question->ctx, question->is_right);
		free_questions(question);
	}
}

/* Signals are the loop's. */
static int start_thread(struct verifier *verifier)
{
	sigset_t all;
	sigset_t before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&verifier->thread, NULL, work, verifier);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

static void free_rest(struct verifier *verifier)
{
	if (verifier->event != NULL) {
		event_free(verifier->event);
	}
	if (verifier->bell >= 0) {
		close(verifier->bell);
	}
	free_questions(verifier->first);
	free_questions(verifier->done);
	pthread_mutex_destroy(&verifier->lock);
	pthread_cond_destroy(&verifier->has_work);
	free(verifier);
}

struct verifier *verifier_new(struct event_base *base, struct err *err)
{
	struct verifier *verifier = xcalloc(1, sizeof(*verifier));
	int error = 0;

	pthread_mutex_init(&verifier->lock, NULL);
	pthread_cond_init(&verifier->has_work, NULL);
	verifier->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (verifier->bell < 0) {
		error = errno;
	} else {
		verifier->event =
			event_new(base, verifier->bell, EV_READ | EV_PERSIST, on_bell, verifier);
		assert(verifier->event != NULL);
		event_add(verifier->event, NULL);
		error = start_thread(verifier);
	}
	if (error != 0) {
		free_rest(verifier);
		err_set(err, ERR_INPUT,
			"passwords can't be checked, there is no thread for it: %s: raise the "
			"limits of processes and files",
			strerror(error));
		return NULL;
	}
	return verifier;
}

void verifier_free(struct verifier *verifier)
{
	if (verifier == NULL) {
		return;
	}
	pthread_mutex_lock(&verifier->lock);
	verifier->is_ending = true;
	pthread_cond_signal(&verifier->has_work);
	pthread_mutex_unlock(&verifier->lock);
	pthread_join(verifier->thread, NULL);
	free_rest(verifier);
}

static size_t count_group(const struct question *question, const char *group)
{
	size_t n = 0;

	for (; question != NULL; question = question->next) {
		n += strcmp(question->group, group) == 0;
	}
	return n;
}

static void append(struct verifier *verifier, struct question *question)
{
	struct question **link = &verifier->first;

	while (*link != NULL) {
		link = &(*link)->next;
	}
	*link = question;
	pthread_cond_signal(&verifier->has_work);
}

bool verifier_ask(struct verifier *verifier, const struct verifier_question *question)
{
	pthread_mutex_lock(&verifier->lock);
	bool is_taken = verifier->n_taken < VERIFIER_MAX_QUEUE &&
			count_group(verifier->first, question->group) < VERIFIER_MAX_QUEUE / 2;
	if (is_taken) {
		struct question *taken = xcalloc(1, sizeof(*taken));
		taken->group = xstrdup(question->group);
		taken->hash = xstrdup(question->hash);
		taken->password = xstrdup(question->password);
		taken->on_checked = question->on_checked;
		taken->ctx = question->ctx;
		verifier->n_taken++;
		append(verifier, taken);
	}
	pthread_mutex_unlock(&verifier->lock);
	return is_taken;
}
