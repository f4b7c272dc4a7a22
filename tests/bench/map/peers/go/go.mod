module bench-map

go 1.26
