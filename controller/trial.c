/* See trial.h. */
#include "trial.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "plan/plan.h"

/* Once may be an accident: a master that could not be reached, a machine that was too slow. */
#define MAX_FAILURES 2

static const char *refused_settings(const struct trial *trial)
{
	return trial->n_failures >= MAX_FAILURES ? trial->tried : "";
}

static void tell_caps(const struct trial *trial, struct caps *caps)
{
	snprintf(caps->refused_settings, sizeof(caps->refused_settings), "%s",
		refused_settings(trial));
}

bool trial_begin(struct trial *trial, const struct model *model, uint32_t reasons, struct err *err)
{
	const char *digest = model_settings_digest(model);

	if ((reasons & PLAN_REASONS_OF_SETTINGS) == 0) {
		return true;
	}
	if (strcmp(trial->tried, digest) != 0) {
		trial->n_failures = 0;
		snprintf(trial->tried, sizeof(trial->tried), "%s", digest);
	}
	return state_try_settings(trial->state, model_settings(model), err);
}

void trial_fail(struct trial *trial, const char *text, struct caps *caps)
{
	state_undo_settings(trial->state);
	if (trial->tried[0] == '\0') {
		return;
	}
	if (++trial->n_failures == MAX_FAILURES) {
		log_line(LOG_ERROR,
			"HAProxy does not start with what the controller's ConfigMap, or that of "
			"TCP services, says about it: it runs on with the settings before",
			"error", text, NULL);
	}
	tell_caps(trial, caps);
}

void trial_settle(struct trial *trial, const struct model *model, struct observation *found)
{
	const char *runs_with = found->applied->settings;
	bool is_unknown = runs_with[0] == '\0' && !model_is_standard(model_settings_digest(model));

	if (is_unknown && !trial->is_told) {
		log_line(LOG_WARN,
			"HAProxy was started without the file of settings, so what the "
			"controller's ConfigMap says about it does nothing: start it with it",
			"file", state_settings_file(trial->state), NULL);
	}
	trial->is_told = is_unknown;
	if (strcmp(runs_with, trial->tried) == 0) {
		trial_forget(trial);
	}
	state_settle_settings(trial->state, runs_with, model_settings(model));
	tell_caps(trial, &found->caps);
}

void trial_forget(struct trial *trial)
{
	trial->tried[0] = '\0';
	trial->n_failures = 0;
}
