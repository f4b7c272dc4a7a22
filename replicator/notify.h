// SPDX-License-Identifier: Apache-2.0
// Tells the service manager how far we are: one datagram to the socket that NOTIFY_SOCKET names, if any
// (sd_notify(3), protocol only: no library is needed for it).
// Never blocks; a manager that does not listen is no error of ours.  [any]
#pragma once

// "READY=1", "STOPPING=1".
void notify_send(const char *state);
