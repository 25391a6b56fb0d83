/*
 * Who may read the controller's own metrics (option prometheus-endpoint-auth-secret): the users in
 * a Secret. Private to the model.
 *
 * No fault lets anybody read them: a Secret that is not there or has no users leaves nobody, and so
 * does an option that names none.
 */
#ifndef HG_MODEL_MONITORS_H
#define HG_MODEL_MONITORS_H

struct model;
struct secret_node;
struct store;

/* All zeros: everybody may. */
struct monitors {
	char *reference;	    /* owned; as the option says it */
	struct secret_node *secret; /* NULL = it names none that may be used */
	char *fault;		    /* owned; NULL = it is as it was asked for */
};

/* The option says this now; NULL and "" = nothing. */
void monitors_follow(struct model *model, const struct store *store, const char *reference);

/* Looks at its Secret as it is now. */
void monitors_judge(struct model *model);

/* Its Secret is not released: the model ends. */
void monitors_free(struct model *model);

#endif
