/* The process_* metrics that every Prometheus client exports: CPU, memory, open files, start time;
 * read from /proc/self. */
#ifndef HG_ADMIN_PROCESS_METRICS_H
#define HG_ADMIN_PROCESS_METRICS_H

#include "base/buf.h"

void process_metrics_write(struct buf *buf);

#endif
