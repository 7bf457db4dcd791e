/* The field tables of the 11 messages that the security whitepaper adds to 1.6; the rows of their
 * actions stand with all others in v16.c. */
#ifndef OCPP_V16_SECURITY_H
#define OCPP_V16_SECURITY_H

#include "ocpp/version.h"

extern const struct field certificate_signed_req[], certificate_signed_conf[];
extern const struct field delete_certificate_req[], delete_certificate_conf[];
extern const struct field extended_trigger_message_req[], extended_trigger_message_conf[];
extern const struct field get_installed_certificate_ids_req[];
extern const struct field get_installed_certificate_ids_conf[];
extern const struct field get_log_req[], get_log_conf[];
extern const struct field install_certificate_req[], install_certificate_conf[];
extern const struct field log_status_notification_req[];
extern const struct field security_event_notification_req[];
extern const struct field sign_certificate_req[], sign_certificate_conf[];
extern const struct field signed_firmware_status_notification_req[];
extern const struct field signed_update_firmware_req[], signed_update_firmware_conf[];

#endif
