return { statusline = require('flyte_sidecar.events').statusline }
