module example.org/approve

go 1.19
