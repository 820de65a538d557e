# SPDX-License-Identifier: Apache-2.0
"""Software as Debian ships it, for the matrix of what can be carried, by nature."""
