/* `headgate audit`: asks the controller that runs on this machine to audit HAProxy, waits for the
 * result and prints it. */
#ifndef HG_AUDIT_COMMAND_H
#define HG_AUDIT_COMMAND_H

/* Exit statuses of the command; its --help lists them. */
enum audit_status {
	AUDIT_STATUS_CLEAN = 0,
	AUDIT_STATUS_DRIFT = 1, /* found, and being repaired */
	AUDIT_STATUS_FAILED = 2,
};

/* `bind` is the controller's --admin-bind; without an address, or with one that stands for all of
 * them, the loopback address is asked. Waits. Says on stderr why something can't be done. */
enum audit_status audit_command(const char *bind);

void audit_print_help(void);

#endif
