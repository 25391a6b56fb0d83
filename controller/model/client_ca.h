/*
 * Whom clients' certificates are verified against (option client-ca): the authorities in a Secret.
 * Private to the model.
 *
 * They are a file that the settings name, by what is in it: other authorities are other settings.
 * When the Secret's newest version can't be used, those of the last one that could stay; when there
 * never was one, the file is of an authority that nobody's certificate is from. No fault makes
 * clients come in unverified.
 */
#ifndef HG_MODEL_CLIENT_CA_H
#define HG_MODEL_CLIENT_CA_H

struct model;
struct secret_node;
struct store;

/* All zeros: nobody is asked for a certificate. */
struct client_ca {
	char *reference;	    /* owned; as the option says it */
	struct secret_node *secret; /* NULL = it names none that may be used */
	char *name;		    /* of the file; owned */
	char *pem;		    /* what is in it; owned; NULL = there is no authority */
	char *fault;		    /* owned; NULL = it is as it was asked for */
};

/* The option says this now (NULL and "" = nothing), or there is something new of its Secret. */
void client_ca_follow(struct model *model, const struct store *store, const char *reference);

/* Its Secret is not released: the model ends. */
void client_ca_free(struct model *model);

#endif
