/* SPDX-License-Identifier: ISC */
#include "config/settings.h"
#include "log/log.h"

struct log_options log_options_of(const struct settings *settings, struct slice program)
{
	return (struct log_options){
	    .syslog_name = settings->syslog_name,
	    .program = program,
	    .hostname = settings->myhostname,
	    .syslog_facility = settings->syslog_facility,
	    .maillog_file = settings->maillog_file,
	    .queue_directory = settings->queue_directory,
	    .service = settings->postlog_service_name,
	    .delay_resolution = settings->delay_logging_resolution_limit,
	};
}
