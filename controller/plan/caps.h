/*
 * What the HAProxy at hand can do, found out when we connect to it (haproxy/observe) and never
 * derived from its version number alone: distributions patch.
 */
#ifndef HG_PLAN_CAPS_H
#define HG_PLAN_CAPS_H

#include <stdbool.h>

#include "model/model.h"

#define CAPS_VERSION_SIZE 64

struct caps {
	char version[CAPS_VERSION_SIZE]; /* "3.4.7-1", for people */
	bool has_tls;			 /* it listens for TLS, with our list of certificates */
	bool can_add_backend;		 /* `add backend`, `del backend`, `publish backend` (3.4) */
	/* Digest of the settings that it did not start with; "" = none. */
	char refused_settings[MODEL_DIGEST_SIZE];
	/* It runs with the constant configuration of another version of Headgate, of which nothing
	 * is known. A reload may change that, and until then nothing else is done. */
	bool awaits_configuration;
	/* A run-time server has no cookie until its address is changed (2.6). */
	bool has_late_cookies;
};

#endif
