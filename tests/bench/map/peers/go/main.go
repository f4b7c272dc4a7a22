// SPDX-License-Identifier: Apache-2.0

// go-maps measures Go's sync.Map, or a map under a RWMutex, with the commands, the operations and the lines of ../../driver.c:
//
//	hash sync.Map|rwmutex (which map; the hash is Go's own)  ops COUNT  open KEYS  use DIST
//	thru READ% THREADS  lat  walk  grow KEYS  crowd THREADS OPERATIONS NEW%
//
// The bytes of `open` are those of the live heap after a collection, the key's own copy included.
package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const (
	opsMax    = 2000000
	keyLen    = 40
	warmShare = 8
)

var (
	peer         = "go-sync.Map own"
	table   maps = &syncMap{}
	keys    int
	ops     = opsMax
	dist    string
	opKeys  []string // of one slab, in the order of the operations
	opRolls []uint8
	wrong   atomic.Uint64
)

func keyOf(i int) string {
	return fmt.Sprintf("tenant-%03d/service-%06d/pod-%010d", i%200, i/50, i)
}

func valueOf(i int) Value {
	x := uint64(i)
	return Value{x, x, x, x, x, x}
}

func check(ok bool, value *Value) {
	if !ok || value[0] != value[5] {
		wrong.Add(1)
	}
}

func fail(what any) {
	fmt.Fprintln(os.Stderr, "go-maps:", what)
	os.Exit(1)
}

func number(word string) int {
	n, err := strconv.Atoi(word)
	if err != nil {
		fail(err)
	}
	return n
}

func heap() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

func open(count int) {
	before := heap()
	for i := range count {
		value := valueOf(i)
		table.put(keyOf(i), &value)
	}
	keys = count
	fmt.Printf("open %s %d 0 %.1f\n", peer, count, float64(heap()-before)/float64(count))
}

func use(name string) {
	if name == dist {
		return
	}
	dir, file := os.Getenv("BENCH_MAP_DATA"), name
	if dir == "" {
		dir = "build/bench/map/data"
	}
	if name == "hot" {
		file = "unif"
	}
	raw, err := os.ReadFile(fmt.Sprintf("%s/ops-%d-%s", dir, keys, file))
	if err != nil {
		fail(err)
	}
	slab := make([]byte, opsMax*keyLen)
	opKeys, opRolls, dist = make([]string, opsMax), make([]uint8, opsMax), name
	all := make([]string, keys)
	for i := range all {
		all[i] = keyOf(i)
	}
	for i := range opsMax {
		op := binary.LittleEndian.Uint32(raw[4*i:])
		at := slab[keyLen*i : keyLen*(i+1)]
		if name == "hot" {
			copy(at, all[keys/2])
		} else {
			copy(at, all[op&0xffffff])
		}
		opKeys[i], opRolls[i] = unsafe.String(&at[0], keyLen), uint8(op>>24)
	}
}

// Keeps a goroutine on a core of its own, as long as there is one for each of `threads` (measure_pin of the driver).
// Its thread ends with it.
func pin(number, threads int) {
	if threads > runtime.NumCPU() {
		return
	}
	runtime.LockOSThread()
	var cores [16]uint64
	cores[number/64] = 1 << (number % 64)
	syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, 0, unsafe.Sizeof(cores), uintptr(unsafe.Pointer(&cores)))
}

func pass(ops, reads, threads int) float64 {
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	each := ops / threads
	ready.Add(threads)
	done.Add(threads)
	for t := range threads {
		go func() {
			defer done.Done()
			var value Value
			pin(t, threads)
			ready.Done()
			<-start
			for i := each * t; i < each*(t+1); i++ {
				if int(opRolls[i]) < reads {
					ok := table.get(opKeys[i], &value)
					check(ok, &value)
				} else {
					value = valueOf(i)
					table.put(opKeys[i], &value)
				}
			}
		}()
	}
	ready.Wait()
	began := time.Now()
	close(start)
	done.Wait()
	return float64(time.Since(began).Nanoseconds()) / float64(each*threads)
}

func thru(reads, threads int) {
	pass(ops/warmShare, reads, threads)
	fmt.Printf("thru %s %d %s %d %d %.2f\n", peer, keys, dist, reads, threads, pass(ops, reads, threads))
}

func ticksPerNs() float64 {
	began, count := time.Now(), ticks()
	for time.Since(began) < 100*time.Millisecond {
	}
	return float64(ticks()-count) / float64(time.Since(began).Nanoseconds())
}

func scene(gaps []uint64, hot, beside bool, rate float64) {
	at := func(i int) string {
		if hot {
			i = 0
		}
		return opKeys[i]
	}
	var stop atomic.Bool
	puts, started := make(chan int, 1), make(chan bool)
	if beside {
		go func() {
			n := 0
			pin(1, 2)
			started <- true
			for ; !stop.Load(); n++ {
				value := valueOf(n)
				table.put(at(ops-1-n%ops), &value)
			}
			puts <- n
		}()
	}
	if beside {
		<-started
	}
	var value Value
	began, last := time.Now(), ticks()
	for i := range gaps {
		ok := table.get(at(i), &value)
		check(ok, &value)
		now := ticks()
		gaps[i], last = now-last, now
	}
	span := float64(time.Since(began).Nanoseconds())
	stop.Store(true)
	n := 0
	if beside {
		n = <-puts
	}
	slices.Sort(gaps)
	word := map[bool]string{true: "writer", false: "idle"}[beside]
	name := map[bool]string{true: "hot", false: dist}[hot]
	fmt.Printf("lat %s %d %s %s", peer, keys, name, word)
	for _, q := range []float64{.5, .99, .999, .9999} {
		fmt.Printf(" %.0f", float64(gaps[int(q*float64(ops))])/rate)
	}
	fmt.Printf(" %.0f %.2f\n", float64(gaps[ops-1])/rate, float64(n)*1e3/span)
}

func lat() {
	gaps := slices.Repeat([]uint64{1}, ops) // resident
	rate := ticksPerNs()
	for i := range 4 {
		done := make(chan bool)
		go func() {
			pin(0, 2)
			scene(gaps, i < 2, i%2 == 1, rate)
			done <- true
		}()
		<-done
	}
}

func threadCPU() int64 {
	var t syscall.Timespec
	const threadClock = 3
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, threadClock, uintptr(unsafe.Pointer(&t)), 0)
	return t.Nano()
}

func grow(count int) {
	runtime.LockOSThread()
	own := make([]string, count)
	for i := range own {
		own[i] = keyOf(i)
	}
	wall, cpu := slices.Repeat([]uint64{1}, count), slices.Repeat([]int64{1}, count)
	rate := ticksPerNs()
	runtime.GC()
	began := time.Now()
	for i := range count {
		value := valueOf(i)
		c, t := threadCPU(), ticks()
		table.put(own[i], &value)
		wall[i] = ticks() - t
		cpu[i] = threadCPU() - c
	}
	total := time.Since(began)
	slices.Sort(wall)
	slices.Sort(cpu)
	keys = count
	fmt.Printf("grow %s %d %d %.2f %.2f %.2f %.2f %.2f\n", peer, count, total.Milliseconds(),
		float64(cpu[count/1000*999])/1e3, float64(cpu[count/10000*9999])/1e3, float64(cpu[count-1])/1e3,
		float64(wall[count/10000*9999])/rate/1e3, float64(wall[count-1])/rate/1e3)
}

func choose(name string) {
	switch name {
	case "sync.Map":
	case "rwmutex":
		table, peer = &locked{held: map[string]*Value{}}, "go-rwmutex own"
	default:
		fail("hash: sync.Map or rwmutex")
	}
}

type putTimes struct {
	mean      float64
	p999, max float64
}

func putAll(took []uint64, rate float64) putTimes {
	began, last := time.Now(), ticks()
	end := last + uint64(2e9*rate) // a walk under one lock would keep the puts waiting for minutes
	count := 0
	for ; count < ops && last < end; count++ {
		value := valueOf(count)
		table.put(opKeys[count], &value)
		now := ticks()
		took[count], last = now-last, now
	}
	took = took[:count]
	mean := float64(time.Since(began).Nanoseconds()) / float64(len(took))
	slices.Sort(took)
	return putTimes{mean, float64(took[int(.999*float64(count-1))]) / rate, float64(took[count-1]) / rate}
}

func walk() {
	took := slices.Repeat([]uint64{1}, ops)
	rate := ticksPerNs()
	once := func() {
		if table.walk() < keys {
			wrong.Add(1)
		}
	}
	once()
	began := time.Now()
	once()
	once()
	each := float64(time.Since(began).Nanoseconds()) / 2 / float64(keys)
	var stop atomic.Bool
	started, ended := make(chan bool), make(chan bool)
	alone := putAll(took, rate)
	go func() {
		pin(1, 2)
		started <- true
		for !stop.Load() {
			once()
		}
		ended <- true
	}()
	<-started
	beside := putAll(took, rate)
	stop.Store(true)
	<-ended
	fmt.Printf("walk %s %d %s %.2f %.1f %.1f %.0f %.0f %.0f\n", peer, keys, dist, each, alone.mean, beside.mean,
		alone.p999, beside.p999, beside.max)
}

// As facade_crowd of ../../facade: all at once, each with operations of its own, so many per cent on keys that are new.
func crowd(threads, each, fresh int) {
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	took := make([][]uint64, threads)
	rate := ticksPerNs()
	ready.Add(threads)
	done.Add(threads)
	for t := range threads {
		took[t] = slices.Repeat([]uint64{1}, each)
		names := make([]string, each)
		for i := range names {
			names[i] = keyOf(crowdKey(t, i, each, fresh))
		}
		go func() {
			defer done.Done()
			ready.Done()
			<-start
			for i := range each {
				t0 := ticks()
				value := valueOf(i)
				table.getOrPut(names[i], &value)
				took[t][i] = ticks() - t0
				check(true, &value)
			}
		}()
	}
	ready.Wait()
	close(start)
	done.Wait()
	all := slices.Concat(took...)
	slices.Sort(all)
	us := func(q float64) float64 { return float64(all[int(q*float64(len(all)-1))]) / rate / 1e3 }
	fmt.Printf("crowd %s %d %d %d %.2f %.2f %.2f %.2f\n", peer, threads, each, fresh, us(.5), us(.99), us(.999), us(1))
}

func crowdKey(thread, i, each, fresh int) int {
	if i*61%100 < fresh {
		return each + thread*each + i
	}
	return i
}

var commands = map[string]struct {
	arguments int
	run       func([]string)
}{
	"hash":  {1, func(w []string) { choose(w[0]) }},
	"ops":   {1, func(w []string) { ops = min(number(w[0]), opsMax) }},
	"open":  {1, func(w []string) { open(number(w[0])) }},
	"use":   {1, func(w []string) { use(w[0]) }},
	"thru":  {2, func(w []string) { thru(number(w[0]), number(w[1])) }},
	"walk":  {0, func([]string) { walk() }},
	"lat":   {0, func([]string) { lat() }},
	"grow":  {1, func(w []string) { grow(number(w[0])) }},
	"crowd": {3, func(w []string) { crowd(number(w[0]), number(w[1]), number(w[2])) }},
}

// Runs the first command among the words; returns what is left of them.
func run(words []string) []string {
	command, ok := commands[words[0]]
	if !ok || len(words) <= command.arguments {
		fail(words[0] + ": no such command, or too few words behind it")
	}
	command.run(words[1 : 1+command.arguments])
	return words[1+command.arguments:]
}

func main() {
	for words := os.Args[1:]; len(words) > 0; {
		words = run(words)
	}
	if len(os.Args) == 1 {
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			if words := strings.Fields(lines.Text()); len(words) > 0 {
				run(words)
				fmt.Println(".")
			}
		}
	}
	if n := wrong.Load(); n > 0 {
		fail(fmt.Sprint(n, " values missing or torn"))
	}
}
