/* Generated from schema/events. */
#include "log/events.h"

static const struct log_field client_connect_fields[] = {
	{"name", LOG_STR, offsetof(struct log_client_connect, name), 0},
	{"addr", LOG_STR, offsetof(struct log_client_connect, addr), 0},
};
static const struct log_piece client_connect_pieces[] = {
	{-1, "connect from ", 0},
	{-1, "[", 1},
	{-1, "]", -1},
};
const struct log_event log_client_connect_event = {"client_connect", LOG_LEVEL_INFO, client_connect_fields, 2, client_connect_pieces, 3};

static const struct log_field client_disconnect_fields[] = {
	{"name", LOG_STR, offsetof(struct log_client_disconnect, name), 0},
	{"addr", LOG_STR, offsetof(struct log_client_disconnect, addr), 0},
	{"commands", LOG_COUNTS, offsetof(struct log_client_disconnect, commands), offsetof(struct log_client_disconnect, commands_count)},
};
static const struct log_piece client_disconnect_pieces[] = {
	{-1, "disconnect from ", 0},
	{-1, "[", 1},
	{-1, "]", 2},
};
const struct log_event log_client_disconnect_event = {"client_disconnect", LOG_LEVEL_INFO, client_disconnect_fields, 3, client_disconnect_pieces, 3};

static const struct log_field client_lost_fields[] = {
	{"stage", LOG_STR, offsetof(struct log_client_lost, stage), 0},
	{"name", LOG_STR, offsetof(struct log_client_lost, name), 0},
	{"addr", LOG_STR, offsetof(struct log_client_lost, addr), 0},
};
static const struct log_piece client_lost_pieces[] = {
	{-1, "lost connection after ", 0},
	{-1, " from ", 1},
	{-1, "[", 2},
	{-1, "]", -1},
};
const struct log_event log_client_lost_event = {"client_lost", LOG_LEVEL_INFO, client_lost_fields, 3, client_lost_pieces, 4};

static const struct log_field client_timeout_fields[] = {
	{"stage", LOG_STR, offsetof(struct log_client_timeout, stage), 0},
	{"name", LOG_STR, offsetof(struct log_client_timeout, name), 0},
	{"addr", LOG_STR, offsetof(struct log_client_timeout, addr), 0},
};
static const struct log_piece client_timeout_pieces[] = {
	{-1, "timeout after ", 0},
	{-1, " from ", 1},
	{-1, "[", 2},
	{-1, "]", -1},
};
const struct log_event log_client_timeout_event = {"client_timeout", LOG_LEVEL_INFO, client_timeout_fields, 3, client_timeout_pieces, 4};

static const struct log_field client_too_many_errors_fields[] = {
	{"stage", LOG_STR, offsetof(struct log_client_too_many_errors, stage), 0},
	{"name", LOG_STR, offsetof(struct log_client_too_many_errors, name), 0},
	{"addr", LOG_STR, offsetof(struct log_client_too_many_errors, addr), 0},
};
static const struct log_piece client_too_many_errors_pieces[] = {
	{-1, "too many errors after ", 0},
	{-1, " from ", 1},
	{-1, "[", 2},
	{-1, "]", -1},
};
const struct log_event log_client_too_many_errors_event = {"client_too_many_errors", LOG_LEVEL_INFO, client_too_many_errors_fields, 3, client_too_many_errors_pieces, 4};

static const struct log_field client_improper_pipelining_fields[] = {
	{"stage", LOG_STR, offsetof(struct log_client_improper_pipelining, stage), 0},
	{"name", LOG_STR, offsetof(struct log_client_improper_pipelining, name), 0},
	{"addr", LOG_STR, offsetof(struct log_client_improper_pipelining, addr), 0},
	{"input", LOG_TEXT, offsetof(struct log_client_improper_pipelining, input), 0},
};
static const struct log_piece client_improper_pipelining_pieces[] = {
	{-1, "improper command pipelining after ", 0},
	{-1, " from ", 1},
	{-1, "[", 2},
	{-1, "]: ", 3},
};
const struct log_event log_client_improper_pipelining_event = {"client_improper_pipelining", LOG_LEVEL_INFO, client_improper_pipelining_fields, 4, client_improper_pipelining_pieces, 4};

static const struct log_field client_message_fields[] = {
	{"queue_id", LOG_ID, offsetof(struct log_client_message, queue_id), 0},
	{"name", LOG_STR, offsetof(struct log_client_message, name), 0},
	{"addr", LOG_STR, offsetof(struct log_client_message, addr), 0},
	{"orig_queue_id", LOG_STR, offsetof(struct log_client_message, orig_queue_id), 0},
	{"orig_client", LOG_STR, offsetof(struct log_client_message, orig_client), 0},
	{"sasl_method", LOG_STR, offsetof(struct log_client_message, sasl_method), 0},
	{"sasl_username", LOG_STR, offsetof(struct log_client_message, sasl_username), 0},
	{"sasl_sender", LOG_STR, offsetof(struct log_client_message, sasl_sender), 0},
};
static const struct log_piece client_message_pieces[] = {
	{-1, "", 0},
	{-1, ": client=", 1},
	{-1, "[", 2},
	{-1, "]", -1},
	{3, ", orig_queue_id=", 3},
	{4, ", orig_client=", 4},
	{5, ", sasl_method=", 5},
	{6, ", sasl_username=", 6},
	{7, ", sasl_sender=", 7},
};
const struct log_event log_client_message_event = {"client_message", LOG_LEVEL_INFO, client_message_fields, 8, client_message_pieces, 9};

static const struct log_field smtpd_action_fields[] = {
	{"queue_id", LOG_ID, offsetof(struct log_smtpd_action, queue_id), 0},
	{"action", LOG_STR, offsetof(struct log_smtpd_action, action), 0},
	{"stage", LOG_STR, offsetof(struct log_smtpd_action, stage), 0},
	{"name", LOG_STR, offsetof(struct log_smtpd_action, name), 0},
	{"addr", LOG_STR, offsetof(struct log_smtpd_action, addr), 0},
	{"reply", LOG_TEXT, offsetof(struct log_smtpd_action, reply), 0},
	{"from", LOG_ADDR, offsetof(struct log_smtpd_action, from), 0},
	{"to", LOG_ADDR, offsetof(struct log_smtpd_action, to), 0},
	{"proto", LOG_STR, offsetof(struct log_smtpd_action, proto), 0},
	{"helo", LOG_STR, offsetof(struct log_smtpd_action, helo), 0},
	{"sasl_username", LOG_STR, offsetof(struct log_smtpd_action, sasl_username), 0},
};
static const struct log_piece smtpd_action_pieces[] = {
	{-1, "", 0},
	{-1, ": ", 1},
	{-1, ": ", 2},
	{-1, " from ", 3},
	{-1, "[", 4},
	{-1, "]: ", 5},
	{-1, ";", -1},
	{6, " from=<", 6},
	{6, ">", -1},
	{7, " to=<", 7},
	{7, ">", -1},
	{8, " proto=", 8},
	{9, " helo=<", 9},
	{9, ">", -1},
	{10, " sasl_username=<", 10},
	{10, ">", -1},
};
const struct log_event log_smtpd_action_event = {"smtpd_action", LOG_LEVEL_INFO, smtpd_action_fields, 11, smtpd_action_pieces, 16};

static const struct log_field sasl_failed_fields[] = {
	{"name", LOG_STR, offsetof(struct log_sasl_failed, name), 0},
	{"addr", LOG_STR, offsetof(struct log_sasl_failed, addr), 0},
	{"mechanism", LOG_STR, offsetof(struct log_sasl_failed, mechanism), 0},
	{"reason", LOG_TEXT, offsetof(struct log_sasl_failed, reason), 0},
	{"username", LOG_STR, offsetof(struct log_sasl_failed, username), 0},
};
static const struct log_piece sasl_failed_pieces[] = {
	{-1, "", 0},
	{-1, "[", 1},
	{-1, "]: SASL ", 2},
	{-1, " authentication failed: ", 3},
	{4, ", sasl_username=", 4},
};
const struct log_event log_sasl_failed_event = {"sasl_failed", LOG_LEVEL_WARNING, sasl_failed_fields, 5, sasl_failed_pieces, 5};

static const struct log_field tls_server_established_fields[] = {
	{"trust", LOG_STR, offsetof(struct log_tls_server_established, trust), 0},
	{"name", LOG_STR, offsetof(struct log_tls_server_established, name), 0},
	{"addr", LOG_STR, offsetof(struct log_tls_server_established, addr), 0},
	{"protocol", LOG_STR, offsetof(struct log_tls_server_established, protocol), 0},
	{"cipher", LOG_STR, offsetof(struct log_tls_server_established, cipher), 0},
	{"cipher_used", LOG_U64, offsetof(struct log_tls_server_established, cipher_used), 0},
	{"cipher_bits", LOG_U64, offsetof(struct log_tls_server_established, cipher_bits), 0},
	{"details", LOG_STR, offsetof(struct log_tls_server_established, details), 0},
};
static const struct log_piece tls_server_established_pieces[] = {
	{-1, "", 0},
	{-1, " TLS connection established from ", 1},
	{-1, "[", 2},
	{-1, "]: ", 3},
	{-1, " with cipher ", 4},
	{-1, " (", 5},
	{-1, "/", 6},
	{-1, " bits)", -1},
	{7, "", 7},
};
const struct log_event log_tls_server_established_event = {"tls_server_established", LOG_LEVEL_INFO, tls_server_established_fields, 8, tls_server_established_pieces, 9};

static const struct log_field tls_client_established_fields[] = {
	{"trust", LOG_STR, offsetof(struct log_tls_client_established, trust), 0},
	{"name", LOG_STR, offsetof(struct log_tls_client_established, name), 0},
	{"addr", LOG_STR, offsetof(struct log_tls_client_established, addr), 0},
	{"port", LOG_U64, offsetof(struct log_tls_client_established, port), 0},
	{"protocol", LOG_STR, offsetof(struct log_tls_client_established, protocol), 0},
	{"cipher", LOG_STR, offsetof(struct log_tls_client_established, cipher), 0},
	{"cipher_used", LOG_U64, offsetof(struct log_tls_client_established, cipher_used), 0},
	{"cipher_bits", LOG_U64, offsetof(struct log_tls_client_established, cipher_bits), 0},
	{"details", LOG_STR, offsetof(struct log_tls_client_established, details), 0},
};
static const struct log_piece tls_client_established_pieces[] = {
	{-1, "", 0},
	{-1, " TLS connection established to ", 1},
	{-1, "[", 2},
	{-1, "]:", 3},
	{-1, ": ", 4},
	{-1, " with cipher ", 5},
	{-1, " (", 6},
	{-1, "/", 7},
	{-1, " bits)", -1},
	{8, "", 8},
};
const struct log_event log_tls_client_established_event = {"tls_client_established", LOG_LEVEL_INFO, tls_client_established_fields, 9, tls_client_established_pieces, 10};

static const struct log_field tls_server_failed_fields[] = {
	{"name", LOG_STR, offsetof(struct log_tls_server_failed, name), 0},
	{"addr", LOG_STR, offsetof(struct log_tls_server_failed, addr), 0},
	{"reason", LOG_TEXT, offsetof(struct log_tls_server_failed, reason), 0},
};
static const struct log_piece tls_server_failed_pieces[] = {
	{-1, "SSL_accept error from ", 0},
	{-1, "[", 1},
	{-1, "]: ", 2},
};
const struct log_event log_tls_server_failed_event = {"tls_server_failed", LOG_LEVEL_INFO, tls_server_failed_fields, 3, tls_server_failed_pieces, 3};

static const struct log_field tls_client_failed_fields[] = {
	{"name", LOG_STR, offsetof(struct log_tls_client_failed, name), 0},
	{"addr", LOG_STR, offsetof(struct log_tls_client_failed, addr), 0},
	{"port", LOG_U64, offsetof(struct log_tls_client_failed, port), 0},
	{"reason", LOG_TEXT, offsetof(struct log_tls_client_failed, reason), 0},
};
static const struct log_piece tls_client_failed_pieces[] = {
	{-1, "SSL_connect error to ", 0},
	{-1, "[", 1},
	{-1, "]:", 2},
	{-1, ": ", 3},
};
const struct log_event log_tls_client_failed_event = {"tls_client_failed", LOG_LEVEL_INFO, tls_client_failed_fields, 4, tls_client_failed_pieces, 4};

static const struct log_field connect_failed_fields[] = {
	{"name", LOG_STR, offsetof(struct log_connect_failed, name), 0},
	{"addr", LOG_STR, offsetof(struct log_connect_failed, addr), 0},
	{"port", LOG_U64, offsetof(struct log_connect_failed, port), 0},
	{"reason", LOG_TEXT, offsetof(struct log_connect_failed, reason), 0},
};
static const struct log_piece connect_failed_pieces[] = {
	{-1, "connect to ", 0},
	{-1, "[", 1},
	{-1, "]:", 2},
	{-1, ": ", 3},
};
const struct log_event log_connect_failed_event = {"connect_failed", LOG_LEVEL_INFO, connect_failed_fields, 4, connect_failed_pieces, 4};

static const struct log_field session_failed_fields[] = {
	{"queue_id", LOG_ID, offsetof(struct log_session_failed, queue_id), 0},
	{"reason", LOG_TEXT, offsetof(struct log_session_failed, reason), 0},
};
static const struct log_piece session_failed_pieces[] = {
	{-1, "", 0},
	{-1, ": ", 1},
};
const struct log_event log_session_failed_event = {"session_failed", LOG_LEVEL_INFO, session_failed_fields, 2, session_failed_pieces, 2};

static const struct log_field picked_up_fields[] = {
	{"queue_id", LOG_ID, offsetof(struct log_picked_up, queue_id), 0},
	{"uid", LOG_U64, offsetof(struct log_picked_up, uid), 0},
	{"from", LOG_ADDR, offsetof(struct log_picked_up, from), 0},
	{"orig_id", LOG_STR, offsetof(struct log_picked_up, orig_id), 0},
};
static const struct log_piece picked_up_pieces[] = {
	{-1, "", 0},
	{-1, ": uid=", 1},
	{-1, " from=<", 2},
	{-1, ">", -1},
	{3, " orig_id=", 3},
};
const struct log_event log_picked_up_event = {"picked_up", LOG_LEVEL_INFO, picked_up_fields, 4, picked_up_pieces, 5};

static const struct log_field message_id_fields[] = {
	{"queue_id", LOG_ID, offsetof(struct log_message_id, queue_id), 0},
	{"prefix", LOG_STR, offsetof(struct log_message_id, prefix), 0},
	{"message_id", LOG_STR, offsetof(struct log_message_id, message_id), 0},
};
static const struct log_piece message_id_pieces[] = {
	{-1, "", 0},
	{-1, ": ", 1},
	{-1, "message-id=", 2},
};
const struct log_event log_message_id_event = {"message_id", LOG_LEVEL_INFO, message_id_fields, 3, message_id_pieces, 3};

static const struct log_field content_action_fields[] = {
	{"queue_id", LOG_ID, offsetof(struct log_content_action, queue_id), 0},
	{"action", LOG_STR, offsetof(struct log_content_action, action), 0},
	{"where", LOG_TEXT, offsetof(struct log_content_action, where), 0},
	{"origin", LOG_STR, offsetof(struct log_content_action, origin), 0},
	{"from", LOG_ADDR, offsetof(struct log_content_action, from), 0},
	{"to", LOG_ADDR, offsetof(struct log_content_action, to), 0},
	{"proto", LOG_STR, offsetof(struct log_content_action, proto), 0},
	{"helo", LOG_STR, offsetof(struct log_content_action, helo), 0},
	{"reason", LOG_TEXT, offsetof(struct log_content_action, reason), 0},
};
static const struct log_piece content_action_pieces[] = {
	{-1, "", 0},
	{-1, ": ", 1},
	{-1, ": ", 2},
	{-1, " from ", 3},
	{-1, ";", -1},
	{4, " from=<", 4},
	{4, ">", -1},
	{5, " to=<", 5},
	{5, ">", -1},
	{6, " proto=", 6},
	{7, " helo=<", 7},
	{7, ">", -1},
	{8, ": ", 8},
};
const struct log_event log_content_action_event = {"content_action", LOG_LEVEL_INFO, content_action_fields, 9, content_action_pieces, 13};

static const struct log_field queue_active_fields[] = {
	{"queue_id", LOG_ID, offsetof(struct log_queue_active, queue_id), 0},
	{"from", LOG_ADDR, offsetof(struct log_queue_active, from), 0},
	{"size", LOG_U64, offsetof(struct log_queue_active, size), 0},
	{"nrcpt", LOG_U64, offsetof(struct log_queue_active, nrcpt), 0},
};
static const struct log_piece queue_active_pieces[] = {
	{-1, "", 0},
	{-1, ": from=<", 1},
	{-1, ">, size=", 2},
	{-1, ", nrcpt=", 3},
	{-1, " (queue active)", -1},
};
const struct log_event log_queue_active_event = {"queue_active", LOG_LEVEL_INFO, queue_active_fields, 4, queue_active_pieces, 5};

static const struct log_field delivery_fields[] = {
	{"queue_id", LOG_ID, offsetof(struct log_delivery, queue_id), 0},
	{"to", LOG_ADDR, offsetof(struct log_delivery, to), 0},
	{"orig_to", LOG_ADDR, offsetof(struct log_delivery, orig_to), 0},
	{"relay", LOG_STR, offsetof(struct log_delivery, relay), 0},
	{"delay", LOG_DELAY, offsetof(struct log_delivery, delay), 0},
	{"a", LOG_DELAY, offsetof(struct log_delivery, a), 0},
	{"b", LOG_DELAY, offsetof(struct log_delivery, b), 0},
	{"c", LOG_DELAY, offsetof(struct log_delivery, c), 0},
	{"d", LOG_DELAY, offsetof(struct log_delivery, d), 0},
	{"dsn", LOG_STR, offsetof(struct log_delivery, dsn), 0},
	{"status", LOG_STR, offsetof(struct log_delivery, status), 0},
	{"text", LOG_TEXT, offsetof(struct log_delivery, text), 0},
};
static const struct log_piece delivery_pieces[] = {
	{-1, "", 0},
	{-1, ": to=<", 1},
	{-1, ">", -1},
	{2, ", orig_to=<", 2},
	{2, ">", -1},
	{3, ", relay=", 3},
	{-1, ", delay=", 4},
	{-1, ", delays=", 5},
	{-1, "/", 6},
	{-1, "/", 7},
	{-1, "/", 8},
	{-1, ", dsn=", 9},
	{-1, ", status=", 10},
	{-1, " (", 11},
	{-1, ")", -1},
};
const struct log_event log_delivery_event = {"delivery", LOG_LEVEL_INFO, delivery_fields, 12, delivery_pieces, 15};

static const struct log_field message_expired_fields[] = {
	{"queue_id", LOG_ID, offsetof(struct log_message_expired, queue_id), 0},
	{"from", LOG_ADDR, offsetof(struct log_message_expired, from), 0},
	{"status", LOG_STR, offsetof(struct log_message_expired, status), 0},
};
static const struct log_piece message_expired_pieces[] = {
	{-1, "", 0},
	{-1, ": from=<", 1},
	{-1, ">, status=", 2},
	{-1, ", returned to sender", -1},
};
const struct log_event log_message_expired_event = {"message_expired", LOG_LEVEL_INFO, message_expired_fields, 3, message_expired_pieces, 4};

static const struct log_field message_removed_fields[] = {
	{"queue_id", LOG_ID, offsetof(struct log_message_removed, queue_id), 0},
};
static const struct log_piece message_removed_pieces[] = {
	{-1, "", 0},
	{-1, ": removed", -1},
};
const struct log_event log_message_removed_event = {"message_removed", LOG_LEVEL_INFO, message_removed_fields, 1, message_removed_pieces, 2};

static const struct log_field notification_fields[] = {
	{"queue_id", LOG_ID, offsetof(struct log_notification, queue_id), 0},
	{"whom", LOG_STR, offsetof(struct log_notification, whom), 0},
	{"kind", LOG_STR, offsetof(struct log_notification, kind), 0},
	{"report_id", LOG_ID, offsetof(struct log_notification, report_id), 0},
};
static const struct log_piece notification_pieces[] = {
	{-1, "", 0},
	{-1, ": ", 1},
	{-1, " ", 2},
	{-1, " notification: ", 3},
};
const struct log_event log_notification_event = {"notification", LOG_LEVEL_INFO, notification_fields, 4, notification_pieces, 4};

static const struct log_field notification_discarded_fields[] = {
	{"queue_id", LOG_ID, offsetof(struct log_notification_discarded, queue_id), 0},
};
static const struct log_piece notification_discarded_pieces[] = {
	{-1, "", 0},
	{-1, ": undeliverable postmaster notification discarded", -1},
};
const struct log_event log_notification_discarded_event = {"notification_discarded", LOG_LEVEL_WARNING, notification_discarded_fields, 1, notification_discarded_pieces, 2};

static const struct log_field queue_damaged_fields[] = {
	{"name", LOG_STR, offsetof(struct log_queue_damaged, name), 0},
	{"size", LOG_U64, offsetof(struct log_queue_damaged, size), 0},
	{"reason", LOG_TEXT, offsetof(struct log_queue_damaged, reason), 0},
};
static const struct log_piece queue_damaged_pieces[] = {
	{-1, "", 0},
	{-1, ": damaged queue record (", 1},
	{-1, " bytes) set aside in corrupt: ", 2},
};
const struct log_event log_queue_damaged_event = {"queue_damaged", LOG_LEVEL_WARNING, queue_damaged_fields, 3, queue_damaged_pieces, 3};

static const struct log_field queue_control_fields[] = {
	{"queue_id", LOG_ID, offsetof(struct log_queue_control, queue_id), 0},
	{"done", LOG_STR, offsetof(struct log_queue_control, done), 0},
};
static const struct log_piece queue_control_pieces[] = {
	{-1, "", 0},
	{-1, ": ", 1},
};
const struct log_event log_queue_control_event = {"queue_control", LOG_LEVEL_INFO, queue_control_fields, 2, queue_control_pieces, 2};

static const struct log_field queue_control_total_fields[] = {
	{"done", LOG_STR, offsetof(struct log_queue_control_total, done), 0},
	{"count", LOG_U64, offsetof(struct log_queue_control_total, count), 0},
	{"noun", LOG_STR, offsetof(struct log_queue_control_total, noun), 0},
};
static const struct log_piece queue_control_total_pieces[] = {
	{-1, "", 0},
	{-1, ": ", 1},
	{-1, " ", 2},
};
const struct log_event log_queue_control_total_event = {"queue_control_total", LOG_LEVEL_INFO, queue_control_total_fields, 3, queue_control_total_pieces, 3};

static const struct log_field master_started_fields[] = {
	{"version", LOG_STR, offsetof(struct log_master_started, version), 0},
	{"config_dir", LOG_STR, offsetof(struct log_master_started, config_dir), 0},
};
static const struct log_piece master_started_pieces[] = {
	{-1, "daemon started -- version ", 0},
	{-1, ", configuration ", 1},
};
const struct log_event log_master_started_event = {"master_started", LOG_LEVEL_INFO, master_started_fields, 2, master_started_pieces, 2};

static const struct log_field master_reload_fields[] = {
	{"version", LOG_STR, offsetof(struct log_master_reload, version), 0},
	{"config_dir", LOG_STR, offsetof(struct log_master_reload, config_dir), 0},
};
static const struct log_piece master_reload_pieces[] = {
	{-1, "reload -- version ", 0},
	{-1, ", configuration ", 1},
};
const struct log_event log_master_reload_event = {"master_reload", LOG_LEVEL_INFO, master_reload_fields, 2, master_reload_pieces, 2};

static const struct log_field master_terminating_fields[] = {
	{"signal", LOG_U64, offsetof(struct log_master_terminating, signal), 0},
};
static const struct log_piece master_terminating_pieces[] = {
	{-1, "terminating on signal ", 0},
};
const struct log_event log_master_terminating_event = {"master_terminating", LOG_LEVEL_INFO, master_terminating_fields, 1, master_terminating_pieces, 1};

static const struct log_field process_exit_fields[] = {
	{"program", LOG_STR, offsetof(struct log_process_exit, program), 0},
	{"pid", LOG_U64, offsetof(struct log_process_exit, pid), 0},
	{"status", LOG_U64, offsetof(struct log_process_exit, status), 0},
};
static const struct log_piece process_exit_pieces[] = {
	{-1, "process ", 0},
	{-1, " pid ", 1},
	{-1, " exit status ", 2},
};
const struct log_event log_process_exit_event = {"process_exit", LOG_LEVEL_WARNING, process_exit_fields, 3, process_exit_pieces, 3};

static const struct log_field process_killed_fields[] = {
	{"program", LOG_STR, offsetof(struct log_process_killed, program), 0},
	{"pid", LOG_U64, offsetof(struct log_process_killed, pid), 0},
	{"signal", LOG_U64, offsetof(struct log_process_killed, signal), 0},
};
static const struct log_piece process_killed_pieces[] = {
	{-1, "process ", 0},
	{-1, " pid ", 1},
	{-1, " killed by signal ", 2},
};
const struct log_event log_process_killed_event = {"process_killed", LOG_LEVEL_WARNING, process_killed_fields, 3, process_killed_pieces, 3};

static const struct log_field bad_startup_fields[] = {
	{"program", LOG_STR, offsetof(struct log_bad_startup, program), 0},
};
static const struct log_piece bad_startup_pieces[] = {
	{-1, "", 0},
	{-1, ": bad command startup -- throttling", -1},
};
const struct log_event log_bad_startup_event = {"bad_startup", LOG_LEVEL_WARNING, bad_startup_fields, 1, bad_startup_pieces, 2};

static const struct log_field throttle_released_fields[] = {
	{"program", LOG_STR, offsetof(struct log_throttle_released, program), 0},
};
static const struct log_piece throttle_released_pieces[] = {
	{-1, "throttle released for command ", 0},
};
const struct log_event log_throttle_released_event = {"throttle_released", LOG_LEVEL_INFO, throttle_released_fields, 1, throttle_released_pieces, 1};

static const struct log_field process_limit_fields[] = {
	{"service", LOG_STR, offsetof(struct log_process_limit, service), 0},
	{"endpoint", LOG_STR, offsetof(struct log_process_limit, endpoint), 0},
	{"limit", LOG_U64, offsetof(struct log_process_limit, limit), 0},
};
static const struct log_piece process_limit_pieces[] = {
	{-1, "service \"", 0},
	{-1, "\" (", 1},
	{-1, ") has reached its process limit \"", 2},
	{-1, "\": new clients may experience noticeable delays", -1},
};
const struct log_event log_process_limit_event = {"process_limit", LOG_LEVEL_WARNING, process_limit_fields, 3, process_limit_pieces, 4};

static const struct log_field suite_starting_fields[] = {
	{"name", LOG_STR, offsetof(struct log_suite_starting, name), 0},
};
static const struct log_piece suite_starting_pieces[] = {
	{-1, "starting the ", 0},
	{-1, " mail system", -1},
};
const struct log_event log_suite_starting_event = {"suite_starting", LOG_LEVEL_INFO, suite_starting_fields, 1, suite_starting_pieces, 2};

static const struct log_field suite_stopping_fields[] = {
	{"name", LOG_STR, offsetof(struct log_suite_stopping, name), 0},
};
static const struct log_piece suite_stopping_pieces[] = {
	{-1, "stopping the ", 0},
	{-1, " mail system", -1},
};
const struct log_event log_suite_stopping_event = {"suite_stopping", LOG_LEVEL_INFO, suite_stopping_fields, 1, suite_stopping_pieces, 2};

static const struct log_field suite_refreshing_fields[] = {
	{"name", LOG_STR, offsetof(struct log_suite_refreshing, name), 0},
};
static const struct log_piece suite_refreshing_pieces[] = {
	{-1, "refreshing the ", 0},
	{-1, " mail system", -1},
};
const struct log_event log_suite_refreshing_event = {"suite_refreshing", LOG_LEVEL_INFO, suite_refreshing_fields, 1, suite_refreshing_pieces, 2};

static const struct log_field suite_not_running_fields[] = {
	{"name", LOG_STR, offsetof(struct log_suite_not_running, name), 0},
};
static const struct log_piece suite_not_running_pieces[] = {
	{-1, "the ", 0},
	{-1, " mail system is not running", -1},
};
const struct log_event log_suite_not_running_event = {"suite_not_running", LOG_LEVEL_FATAL, suite_not_running_fields, 1, suite_not_running_pieces, 2};

static const struct log_field suite_running_fields[] = {
	{"name", LOG_STR, offsetof(struct log_suite_running, name), 0},
};
static const struct log_piece suite_running_pieces[] = {
	{-1, "the ", 0},
	{-1, " mail system is already running", -1},
};
const struct log_event log_suite_running_event = {"suite_running", LOG_LEVEL_FATAL, suite_running_fields, 1, suite_running_pieces, 2};

static const struct log_field config_warning_fields[] = {
	{"text", LOG_TEXT, offsetof(struct log_config_warning, text), 0},
};
static const struct log_piece config_warning_pieces[] = {
	{-1, "", 0},
};
const struct log_event log_config_warning_event = {"config_warning", LOG_LEVEL_WARNING, config_warning_fields, 1, config_warning_pieces, 1};

static const struct log_field config_error_fields[] = {
	{"text", LOG_TEXT, offsetof(struct log_config_error, text), 0},
};
static const struct log_piece config_error_pieces[] = {
	{-1, "", 0},
};
const struct log_event log_config_error_event = {"config_error", LOG_LEVEL_ERROR, config_error_fields, 1, config_error_pieces, 1};

static const struct log_field service_problem_fields[] = {
	{"service", LOG_STR, offsetof(struct log_service_problem, service), 0},
	{"problem", LOG_TEXT, offsetof(struct log_service_problem, problem), 0},
};
static const struct log_piece service_problem_pieces[] = {
	{-1, "", 0},
	{-1, ": ", 1},
};
const struct log_event log_service_problem_event = {"service_problem", LOG_LEVEL_WARNING, service_problem_fields, 2, service_problem_pieces, 2};

static const struct log_field table_problem_fields[] = {
	{"table", LOG_STR, offsetof(struct log_table_problem, table), 0},
	{"problem", LOG_TEXT, offsetof(struct log_table_problem, problem), 0},
};
static const struct log_piece table_problem_pieces[] = {
	{-1, "", 0},
	{-1, ": ", 1},
};
const struct log_event log_table_problem_event = {"table_problem", LOG_LEVEL_WARNING, table_problem_fields, 2, table_problem_pieces, 2};

static const struct log_field sandbox_reduced_fields[] = {
	{"text", LOG_TEXT, offsetof(struct log_sandbox_reduced, text), 0},
};
static const struct log_piece sandbox_reduced_pieces[] = {
	{-1, "", 0},
};
const struct log_event log_sandbox_reduced_event = {"sandbox_reduced", LOG_LEVEL_INFO, sandbox_reduced_fields, 1, sandbox_reduced_pieces, 1};

static const struct log_field slow_slice_fields[] = {
	{"fiber", LOG_STR, offsetof(struct log_slow_slice, fiber), 0},
	{"last_wait", LOG_STR, offsetof(struct log_slow_slice, last_wait), 0},
	{"duration", LOG_DELAY, offsetof(struct log_slow_slice, duration), 0},
};
static const struct log_piece slow_slice_pieces[] = {
	{-1, "fiber ", 0},
	{-1, " ran ", 2},
	{-1, "s without a wait after \"", 1},
	{-1, "\"", -1},
};
const struct log_event log_slow_slice_event = {"slow_slice", LOG_LEVEL_WARNING, slow_slice_fields, 3, slow_slice_pieces, 4};

static const struct log_field lines_lost_fields[] = {
	{"count", LOG_U64, offsetof(struct log_lines_lost, count), 0},
};
static const struct log_piece lines_lost_pieces[] = {
	{-1, "", 0},
	{-1, " log lines were lost", -1},
};
const struct log_event log_lines_lost_event = {"lines_lost", LOG_LEVEL_WARNING, lines_lost_fields, 1, lines_lost_pieces, 2};

static const struct log_field info_fields[] = {
	{"text", LOG_TEXT, offsetof(struct log_info, text), 0},
};
static const struct log_piece info_pieces[] = {
	{-1, "", 0},
};
const struct log_event log_info_event = {"info", LOG_LEVEL_INFO, info_fields, 1, info_pieces, 1};

static const struct log_field warning_fields[] = {
	{"text", LOG_TEXT, offsetof(struct log_warning, text), 0},
};
static const struct log_piece warning_pieces[] = {
	{-1, "", 0},
};
const struct log_event log_warning_event = {"warning", LOG_LEVEL_WARNING, warning_fields, 1, warning_pieces, 1};

static const struct log_field error_fields[] = {
	{"text", LOG_TEXT, offsetof(struct log_error, text), 0},
};
static const struct log_piece error_pieces[] = {
	{-1, "", 0},
};
const struct log_event log_error_event = {"error", LOG_LEVEL_ERROR, error_fields, 1, error_pieces, 1};

static const struct log_field fatal_fields[] = {
	{"text", LOG_TEXT, offsetof(struct log_fatal, text), 0},
};
static const struct log_piece fatal_pieces[] = {
	{-1, "", 0},
};
const struct log_event log_fatal_event = {"fatal", LOG_LEVEL_FATAL, fatal_fields, 1, fatal_pieces, 1};

