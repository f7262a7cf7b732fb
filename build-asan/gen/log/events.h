/* Generated from schema/events. */
#ifndef GEN_LOG_EVENTS_H
#define GEN_LOG_EVENTS_H

#include "log/log.h"

struct log_client_connect {
	struct slice name;
	struct slice addr;
};
extern const struct log_event log_client_connect_event;
static inline void log_client_connect(const struct log_client_connect *e)
{
	log_event(&log_client_connect_event, e);
}

struct log_client_disconnect {
	struct slice name;
	struct slice addr;
	const struct log_count *commands;
	size_t commands_count;
};
extern const struct log_event log_client_disconnect_event;
static inline void log_client_disconnect(const struct log_client_disconnect *e)
{
	log_event(&log_client_disconnect_event, e);
}

/* stage: the last command, "CONNECT" before any, "DATA (123 bytes)" */
struct log_client_lost {
	struct slice stage;
	struct slice name;
	struct slice addr;
};
extern const struct log_event log_client_lost_event;
static inline void log_client_lost(const struct log_client_lost *e)
{
	log_event(&log_client_lost_event, e);
}

struct log_client_timeout {
	struct slice stage;
	struct slice name;
	struct slice addr;
};
extern const struct log_event log_client_timeout_event;
static inline void log_client_timeout(const struct log_client_timeout *e)
{
	log_event(&log_client_timeout_event, e);
}

struct log_client_too_many_errors {
	struct slice stage;
	struct slice name;
	struct slice addr;
};
extern const struct log_event log_client_too_many_errors_event;
static inline void log_client_too_many_errors(const struct log_client_too_many_errors *e)
{
	log_event(&log_client_too_many_errors_event, e);
}

/* command: as the client sent it, cut */
struct log_client_improper_pipelining {
	struct slice stage;
	struct slice name;
	struct slice addr;
	struct slice input;
};
extern const struct log_event log_client_improper_pipelining_event;
static inline void log_client_improper_pipelining(const struct log_client_improper_pipelining *e)
{
	log_event(&log_client_improper_pipelining_event, e);
}

/* a message is being received; after cleanup gave it a queue id */
struct log_client_message {
	struct slice queue_id;
	struct slice name;
	struct slice addr;
	struct slice orig_queue_id;
	struct slice orig_client; /* of XFORWARD */
	struct slice sasl_method;
	struct slice sasl_username;
	struct slice sasl_sender;
};
extern const struct log_event log_client_message_event;
static inline void log_client_message(const struct log_client_message *e)
{
	log_event(&log_client_message_event, e);
}

/* what smtpd's policy did. action: reject, reject_warning, warn, hold, discard, filter, redirect, info ...
 * reply: "554 5.7.1 <user@host>: Relay access denied". Absent from, to, helo are left out; a null
 * sender is present and empty. */
struct log_smtpd_action {
	struct slice queue_id;
	struct slice action;
	struct slice stage; /* CONNECT, EHLO, MAIL, RCPT, DATA, END-OF-MESSAGE ... */
	struct slice name;
	struct slice addr;
	struct slice reply;
	struct slice from;
	struct slice to;
	struct slice proto;
	struct slice helo;
	struct slice sasl_username;
};
extern const struct log_event log_smtpd_action_event;
static inline void log_smtpd_action(const struct log_smtpd_action *e)
{
	log_event(&log_smtpd_action_event, e);
}

struct log_sasl_failed {
	struct slice name;
	struct slice addr;
	struct slice mechanism;
	struct slice reason;
	struct slice username;
};
extern const struct log_event log_sasl_failed_event;
static inline void log_sasl_failed(const struct log_sasl_failed *e)
{
	log_event(&log_sasl_failed_event, e);
}

/* trust: Anonymous, Untrusted, Trusted, Verified */
struct log_tls_server_established {
	struct slice trust;
	struct slice name;
	struct slice addr;
	struct slice protocol;
	struct slice cipher;
	uint64_t cipher_used;
	uint64_t cipher_bits;
	struct slice details; /* " key-exchange X25519 server-signature RSA-PSS (2048 bits) ...", with its space; absent: none */
};
extern const struct log_event log_tls_server_established_event;
static inline void log_tls_server_established(const struct log_tls_server_established *e)
{
	log_event(&log_tls_server_established_event, e);
}

struct log_tls_client_established {
	struct slice trust;
	struct slice name;
	struct slice addr;
	uint64_t port;
	struct slice protocol;
	struct slice cipher;
	uint64_t cipher_used;
	uint64_t cipher_bits;
	struct slice details;
};
extern const struct log_event log_tls_client_established_event;
static inline void log_tls_client_established(const struct log_tls_client_established *e)
{
	log_event(&log_tls_client_established_event, e);
}

struct log_tls_server_failed {
	struct slice name;
	struct slice addr;
	struct slice reason; /* "lost connection", "-1", an error text */
};
extern const struct log_event log_tls_server_failed_event;
static inline void log_tls_server_failed(const struct log_tls_server_failed *e)
{
	log_event(&log_tls_server_failed_event, e);
}

struct log_tls_client_failed {
	struct slice name;
	struct slice addr;
	uint64_t port;
	struct slice reason;
};
extern const struct log_event log_tls_client_failed_event;
static inline void log_tls_client_failed(const struct log_tls_client_failed *e)
{
	log_event(&log_tls_client_failed_event, e);
}

/* one address of a next hop could not be reached */
struct log_connect_failed {
	struct slice name;
	struct slice addr;
	uint64_t port;
	struct slice reason;
};
extern const struct log_event log_connect_failed_event;
static inline void log_connect_failed(const struct log_connect_failed *e)
{
	log_event(&log_connect_failed_event, e);
}

/* the next hop speaks, and refuses or breaks off; another one will be tried */
struct log_session_failed {
	struct slice queue_id;
	struct slice reason; /* "host mx[1.2.3.4] said: ...", "lost connection with mx[..] while ..." */
};
extern const struct log_event log_session_failed_event;
static inline void log_session_failed(const struct log_session_failed *e)
{
	log_event(&log_session_failed_event, e);
}

/* pickup took a message that somebody handed to sendmail */
struct log_picked_up {
	struct slice queue_id;
	uint64_t uid;
	struct slice from;
	struct slice orig_id;
};
extern const struct log_event log_picked_up_event;
static inline void log_picked_up(const struct log_picked_up *e)
{
	log_event(&log_picked_up_event, e);
}

/* prefix: "resent-" or absent. message_id: with its <>, or as found; absent gives "<>" by the caller */
struct log_message_id {
	struct slice queue_id;
	struct slice prefix;
	struct slice message_id;
};
extern const struct log_event log_message_id_event;
static inline void log_message_id(const struct log_message_id *e)
{
	log_event(&log_message_id_event, e);
}

/* cleanup's header and body checks. where: "header Subject: text", "body text" */
struct log_content_action {
	struct slice queue_id;
	struct slice action; /* reject, warning, hold, discard, replace, prepend ... */
	struct slice where;
	struct slice origin; /* "host[addr]" or "local" */
	struct slice from;
	struct slice to;
	struct slice proto;
	struct slice helo;
	struct slice reason;
};
extern const struct log_event log_content_action_event;
static inline void log_content_action(const struct log_content_action *e)
{
	log_event(&log_content_action_event, e);
}

struct log_queue_active {
	struct slice queue_id;
	struct slice from;
	uint64_t size;
	uint64_t nrcpt;
};
extern const struct log_event log_queue_active_event;
static inline void log_queue_active(const struct log_queue_active *e)
{
	log_event(&log_queue_active_event, e);
}

/* one recipient's outcome. delay: since arrival; a: before the queue manager, b: in the queue manager, c:
 * connection set-up, d: transmission. status: sent, deferred, bounced, expanded, SOFTBOUNCE ... */
struct log_delivery {
	struct slice queue_id;
	struct slice to;
	struct slice orig_to; /* absent when the same */
	struct slice relay; /* HOST[ADDR]:PORT, local, none; absent: left out */
	int64_t delay;
	int64_t a;
	int64_t b;
	int64_t c;
	int64_t d;
	struct slice dsn;
	struct slice status;
	struct slice text;
};
extern const struct log_event log_delivery_event;
static inline void log_delivery(const struct log_delivery *e)
{
	log_event(&log_delivery_event, e);
}

/* status: "expired", "force-expired" */
struct log_message_expired {
	struct slice queue_id;
	struct slice from;
	struct slice status;
};
extern const struct log_event log_message_expired_event;
static inline void log_message_expired(const struct log_message_expired *e)
{
	log_event(&log_message_expired_event, e);
}

struct log_message_removed {
	struct slice queue_id;
};
extern const struct log_event log_message_removed_event;
static inline void log_message_removed(const struct log_message_removed *e)
{
	log_event(&log_message_removed_event, e);
}

/* what bounce made. whom: sender, postmaster. kind: non-delivery, delay, delivery status */
struct log_notification {
	struct slice queue_id;
	struct slice whom;
	struct slice kind;
	struct slice report_id;
};
extern const struct log_event log_notification_event;
static inline void log_notification(const struct log_notification *e)
{
	log_event(&log_notification_event, e);
}

struct log_notification_discarded {
	struct slice queue_id;
};
extern const struct log_event log_notification_discarded_event;
static inline void log_notification_discarded(const struct log_notification_discarded *e)
{
	log_event(&log_notification_discarded_event, e);
}

/* a part of the queue failed its checks and lies in corrupt/ now */
struct log_queue_damaged {
	struct slice name;
	uint64_t size;
	struct slice reason;
};
extern const struct log_event log_queue_damaged_event;
static inline void log_queue_damaged(const struct log_queue_damaged *e)
{
	log_event(&log_queue_damaged_event, e);
}

/* postsuper, or qmgr on its behalf. done: removed, placed on hold, released from hold, requeued, expired */
struct log_queue_control {
	struct slice queue_id;
	struct slice done;
};
extern const struct log_event log_queue_control_event;
static inline void log_queue_control(const struct log_queue_control *e)
{
	log_event(&log_queue_control_event, e);
}

/* done: Deleted, Placed on hold, Released from hold, Requeued, Force-expired. noun: message, messages */
struct log_queue_control_total {
	struct slice done;
	uint64_t count;
	struct slice noun;
};
extern const struct log_event log_queue_control_total_event;
static inline void log_queue_control_total(const struct log_queue_control_total *e)
{
	log_event(&log_queue_control_total_event, e);
}

struct log_master_started {
	struct slice version;
	struct slice config_dir;
};
extern const struct log_event log_master_started_event;
static inline void log_master_started(const struct log_master_started *e)
{
	log_event(&log_master_started_event, e);
}

struct log_master_reload {
	struct slice version;
	struct slice config_dir;
};
extern const struct log_event log_master_reload_event;
static inline void log_master_reload(const struct log_master_reload *e)
{
	log_event(&log_master_reload_event, e);
}

struct log_master_terminating {
	uint64_t signal;
};
extern const struct log_event log_master_terminating_event;
static inline void log_master_terminating(const struct log_master_terminating *e)
{
	log_event(&log_master_terminating_event, e);
}

struct log_process_exit {
	struct slice program; /* path */
	uint64_t pid;
	uint64_t status;
};
extern const struct log_event log_process_exit_event;
static inline void log_process_exit(const struct log_process_exit *e)
{
	log_event(&log_process_exit_event, e);
}

struct log_process_killed {
	struct slice program;
	uint64_t pid;
	uint64_t signal;
};
extern const struct log_event log_process_killed_event;
static inline void log_process_killed(const struct log_process_killed *e)
{
	log_event(&log_process_killed_event, e);
}

struct log_bad_startup {
	struct slice program;
};
extern const struct log_event log_bad_startup_event;
static inline void log_bad_startup(const struct log_bad_startup *e)
{
	log_event(&log_bad_startup_event, e);
}

struct log_throttle_released {
	struct slice program;
};
extern const struct log_event log_throttle_released_event;
static inline void log_throttle_released(const struct log_throttle_released *e)
{
	log_event(&log_throttle_released_event, e);
}

struct log_process_limit {
	struct slice service;
	struct slice endpoint;
	uint64_t limit;
};
extern const struct log_event log_process_limit_event;
static inline void log_process_limit(const struct log_process_limit *e)
{
	log_event(&log_process_limit_event, e);
}

struct log_suite_starting {
	struct slice name; /* "Postrider" */
};
extern const struct log_event log_suite_starting_event;
static inline void log_suite_starting(const struct log_suite_starting *e)
{
	log_event(&log_suite_starting_event, e);
}

struct log_suite_stopping {
	struct slice name;
};
extern const struct log_event log_suite_stopping_event;
static inline void log_suite_stopping(const struct log_suite_stopping *e)
{
	log_event(&log_suite_stopping_event, e);
}

struct log_suite_refreshing {
	struct slice name;
};
extern const struct log_event log_suite_refreshing_event;
static inline void log_suite_refreshing(const struct log_suite_refreshing *e)
{
	log_event(&log_suite_refreshing_event, e);
}

struct log_suite_not_running {
	struct slice name;
};
extern const struct log_event log_suite_not_running_event;
static inline void log_suite_not_running(const struct log_suite_not_running *e)
{
	log_event(&log_suite_not_running_event, e);
}

struct log_suite_running {
	struct slice name;
};
extern const struct log_event log_suite_running_event;
static inline void log_suite_running(const struct log_suite_running *e)
{
	log_event(&log_suite_running_event, e);
}

/* a configuration problem: file, line and what is allowed are in the text */
struct log_config_warning {
	struct slice text;
};
extern const struct log_event log_config_warning_event;
static inline void log_config_warning(const struct log_config_warning *e)
{
	log_event(&log_config_warning_event, e);
}

struct log_config_error {
	struct slice text;
};
extern const struct log_event log_config_error_event;
static inline void log_config_error(const struct log_config_error *e)
{
	log_event(&log_config_error_event, e);
}

/* a caller hears nothing from another daemon */
struct log_service_problem {
	struct slice service; /* path of its socket */
	struct slice problem;
};
extern const struct log_event log_service_problem_event;
static inline void log_service_problem(const struct log_service_problem *e)
{
	log_event(&log_service_problem_event, e);
}

/* lookup in a table failed: mail that needs it is deferred */
struct log_table_problem {
	struct slice table; /* type:name */
	struct slice problem;
};
extern const struct log_event log_table_problem_event;
static inline void log_table_problem(const struct log_table_problem *e)
{
	log_event(&log_table_problem_event, e);
}

/* the kernel cannot confine as far as declared */
struct log_sandbox_reduced {
	struct slice text;
};
extern const struct log_event log_sandbox_reduced_event;
static inline void log_sandbox_reduced(const struct log_sandbox_reduced *e)
{
	log_event(&log_sandbox_reduced_event, e);
}

/* a fiber ran longer than it may without a wait */
struct log_slow_slice {
	struct slice fiber;
	struct slice last_wait;
	int64_t duration;
};
extern const struct log_event log_slow_slice_event;
static inline void log_slow_slice(const struct log_slow_slice *e)
{
	log_event(&log_slow_slice_event, e);
}

/* the log writer itself: lines that found no room */
struct log_lines_lost {
	uint64_t count;
};
extern const struct log_event log_lines_lost_event;
static inline void log_lines_lost(const struct log_lines_lost *e)
{
	log_event(&log_lines_lost_event, e);
}

/* free text, for what has no event of its own */
struct log_info {
	struct slice text;
};
extern const struct log_event log_info_event;
static inline void log_info(const struct log_info *e)
{
	log_event(&log_info_event, e);
}

struct log_warning {
	struct slice text;
};
extern const struct log_event log_warning_event;
static inline void log_warning(const struct log_warning *e)
{
	log_event(&log_warning_event, e);
}

struct log_error {
	struct slice text;
};
extern const struct log_event log_error_event;
static inline void log_error(const struct log_error *e)
{
	log_event(&log_error_event, e);
}

struct log_fatal {
	struct slice text;
};
extern const struct log_event log_fatal_event;
static inline void log_fatal(const struct log_fatal *e)
{
	log_event(&log_fatal_event, e);
}

#endif
