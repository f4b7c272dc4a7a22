// SPDX-License-Identifier: Apache-2.0

package main

import "sync"

// Value has six equal words, so that a torn one shows.
type Value [6]uint64

type maps interface {
	get(key string, value *Value) bool // copies
	put(key string, value *Value)
	getOrPut(key string, value *Value) // puts it, or replaces it by what is held
	walk() int                         // looks at every value; returns how many
}

type syncMap struct{ held sync.Map }

func (m *syncMap) get(key string, value *Value) bool {
	held, ok := m.held.Load(key)
	if ok {
		*value = *held.(*Value)
	}
	return ok
}

func (m *syncMap) put(key string, value *Value) {
	fresh := *value
	m.held.Store(key, &fresh)
}

func (m *syncMap) getOrPut(key string, value *Value) {
	fresh := *value
	held, _ := m.held.LoadOrStore(key, &fresh)
	*value = *held.(*Value)
}

func (m *syncMap) walk() int {
	met, sum := 0, uint64(0)
	m.held.Range(func(_, value any) bool {
		sum += value.(*Value)[0]
		met++
		return true
	})
	if sum == 1 { // so that the values are looked at
		met++
	}
	return met
}

// Values are replaced, not written over, so that a reader may go on with what it found.
type locked struct {
	lock sync.RWMutex
	held map[string]*Value
}

func (m *locked) get(key string, value *Value) bool {
	m.lock.RLock()
	held, ok := m.held[key]
	m.lock.RUnlock()
	if ok {
		*value = *held
	}
	return ok
}

func (m *locked) put(key string, value *Value) {
	fresh := *value
	m.lock.Lock()
	m.held[key] = &fresh
	m.lock.Unlock()
}

func (m *locked) getOrPut(key string, value *Value) {
	fresh := *value
	m.lock.Lock()
	defer m.lock.Unlock()
	if held, ok := m.held[key]; ok {
		*value = *held
		return
	}
	m.held[key] = &fresh
}

func (m *locked) walk() int {
	met, sum := 0, uint64(0)
	m.lock.RLock()
	defer m.lock.RUnlock()
	for _, value := range m.held {
		sum += value[0]
		met++
	}
	if sum == 1 {
		met++
	}
	return met
}
