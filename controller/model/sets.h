/*
 * What objects ask for beyond routing: their sets of options, and what is wrong with them.
 *
 *   Service annotations -> service node
 *   Ingress annotations -> ingress node ---> class node: the class's ConfigMap over the
 * controller's
 *
 * What holds for a claim is the first of the three that says something (sets_option()).
 */
#ifndef HG_MODEL_SETS_H
#define HG_MODEL_SETS_H

#include "base/attr.h"
#include "kube/object.h"
#include "option/read.h"

struct claim;
struct class_node;
struct ingress_node;
struct model;
struct service_node;
struct store;

/* What a list of struct obj_pair says; see option_read(). */
struct option_set *sets_read(enum option_scope scope, const void *object, struct obj_list pairs,
	option_report_fn report, void *ctx) MUST_USE;

/* Fills in an Ingress's own options, its class and what is wrong with them. */
void sets_read_ingress(struct model *model, const struct store *store,
	const struct ingress *ingress, struct ingress_node *node);

/* The options of a Service as it is in the store now, NULL = there is none. True = they are others
 * than before. */
bool sets_read_service(struct model *model, const struct store *store, struct service_node *node);

/* A node's verdicts no longer count. */
void sets_forget_verdicts(struct model *model, uint16_t n_verdicts[OPTION_VERDICT_COUNT]);

/* Reads what the controller's own ConfigMap says, of that about the whole of HAProxy the settings;
 * `store` NULL: nothing. */
void sets_read_settings(struct model *model, const struct store *store);

/* The class of what has none: it has what the controller's own ConfigMap says. */
struct class_node *sets_take_own_class(struct model *model, const struct store *store) MUST_USE;

/* Reads the options of all classes again. From then until sets_forget_changes() sets_is_changed()
 * tells of which Ingress the class says something else than before, or is another one. */
void sets_read_classes(struct model *model, const struct store *store);
bool sets_is_changed(const struct model *model, const struct store *store,
	const struct ingress *ingress, const struct ingress_node *node) MUST_USE;
void sets_forget_changes(struct model *model);

/* The value that holds for a claim: canonical, "" = turned off, NULL = nobody says anything.
 * Borrowed until the objects change. */
const char *sets_option(const struct claim *claim, enum option_id option) MUST_USE;

/* Does the log say whose Ingress a request is? `set` is a class's, or NULL. */
bool sets_log_names_ingresses(const struct option_set *set) MUST_USE;

/* Nobody may come in: a rule about that can't be read. */
bool sets_is_closed(const struct ingress_node *ingress) MUST_USE;

void sets_free(struct model *model);

#endif
