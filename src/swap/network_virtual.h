/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual links: made anew. */
#pragma once

#include "swap/network_link.h"

/*
 * Makes the saved virtual links, those below first, and sets their `here`: the
 * saved index where it is free, since programs keep indexes.  One of the same
 * name and kind that is there (modules make bond0, tunl0 ... by themselves) is
 * replaced, or taken over if it cannot be deleted.
 */
int virtual_create(Netlink *netlink, Links *saved, const Links *present, Error *err);

/* Appends settings of a virtual link to an IFLA_INFO_DATA that is begun: those that are due `when`;
 * SETTING_LATER and SETTING_INDEX only if they differ from those of `present`.  Returns how many.
 */
int virtual_put_settings(NetlinkMessage *message, const Links *saved, const Link *link,
			 NetworkSetting when, const Link *present);
