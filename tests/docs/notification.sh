# Show a notification on a desktop of its own, and save its picture: notification.sh PICTURE
set -euo pipefail
trap 'kill $(jobs -p)' EXIT
Xvfb -displayfd 3 -screen 0 700x200x24 3>display 2>/dev/null &
until [ -s display ]; do sleep 0.1; done
DISPLAY=:$(cat display)
export DISPLAY
cat >dunstrc <<END
[global]
origin = top-left
width = (0, 700)
offset = 0x0
frame_width = 0
font = Sans 12
padding = 14
horizontal_padding = 16
format = "<b>%s</b>\n%b"
[urgency_normal]
background = "#1e2026"
foreground = "#dcdfe4"
END
dunst -config dunstrc 2>/dev/null &
gdbus wait --session org.freedesktop.Notifications
flyte-sidecar notify &
sleep 5 # what waits before it has started is reported as missed
flyte-sidecar create training-7 deploy --prompt 'Deploy the model to production?'
until import -window root -trim +repage "$1" && (($(identify -format %k "$1") > 2)); do
  sleep 0.2
done
