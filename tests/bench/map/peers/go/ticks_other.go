// SPDX-License-Identifier: Apache-2.0

//go:build !amd64

package main

import "time"

var origin = time.Now()

func ticks() uint64 { return uint64(time.Since(origin).Nanoseconds()) }
