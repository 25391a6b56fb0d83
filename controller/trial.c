/* See trial.h. */
#include "trial.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "plan/plan.h"

/* Once may be an accident: a master that could not be reached, a machine that was too slow, a
 * HAProxy that somebody killed. Twice is none, however it ended: settings that need more memory
 * than there is get it killed as well, and would each time that they are tried. */
#define MAX_FAILURES 2
/* Of a reload for the constant configuration: with new settings, and without. */
#define MAX_REFUSALS (2 * MAX_FAILURES)

static const char *refused_settings(const struct trial *trial)
{
	return trial->n_failures >= MAX_FAILURES ? trial->tried : "";
}

static void tell_caps(const struct trial *trial, struct caps *caps)
{
	snprintf(caps->refused_settings, sizeof(caps->refused_settings), "%s",
		refused_settings(trial));
}

static void forget_settings(struct trial *trial)
{
	trial->tried[0] = '\0';
	trial->n_failures = 0;
}

static void forget_configuration(struct trial *trial)
{
	trial->is_configuration_tried = false;
	trial->is_configuration_refused = false;
	trial->n_refusals = 0;
}

static void refuse_configuration(struct trial *trial, const char *text)
{
	trial->is_configuration_refused = true;
	log_line(LOG_ERROR,
		"HAProxy runs with the constant configuration of another version of Headgate, and "
		"no reload brings this one's: what only this one has doesn't work until HAProxy is "
		"started anew with its files (--config-dir)",
		"reason", text, NULL);
}

bool trial_begin(struct trial *trial, const struct model *model, uint32_t reasons, struct err *err)
{
	const char *digest = model_settings_digest(model);
	bool is_for_settings = (reasons & PLAN_REASONS_OF_SETTINGS) != 0;
	bool is_refused = strcmp(refused_settings(trial), digest) == 0;

	trial->is_configuration_tried = (reasons & 1u << PLAN_REASON_CONFIGURATION) != 0;
	if (!is_for_settings && !(trial->is_configuration_tried && !is_refused)) {
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
	if (trial->is_configuration_tried && ++trial->n_refusals == MAX_REFUSALS) {
		refuse_configuration(trial, text);
	}
	trial->is_configuration_tried = false;
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

static void settle_configuration(struct trial *trial, struct caps *caps)
{
	if (!caps->awaits_configuration) {
		forget_configuration(trial);
	} else if (trial->is_configuration_tried) {
		refuse_configuration(trial, "it was reloaded and has read the same files again");
	}
	trial->is_configuration_tried = false;
	caps->awaits_configuration &= !trial->is_configuration_refused;
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
		forget_settings(trial);
	}
	state_settle_settings(trial->state, runs_with, model_settings(model));
	settle_configuration(trial, &found->caps);
	tell_caps(trial, &found->caps);
}

bool trial_expects_configuration(const struct trial *trial)
{
	return !trial->is_configuration_refused && !trial->is_configuration_tried;
}

void trial_forget(struct trial *trial)
{
	forget_settings(trial);
	forget_configuration(trial);
}
