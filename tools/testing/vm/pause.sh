# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Waiting without a process for it, which in an emulated dom0 takes longer than many a pause; to be sourced.

# pause SECONDS: waits for words that nobody says.
pause() { read -rt "$1" -u "$silence" || :; }
exec {silence}<> <(:)
