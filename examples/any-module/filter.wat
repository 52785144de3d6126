;; A Proxy-Wasm filter small enough to read: it answers `/teapot` itself, counts how often, and marks every other request.
(module
  (import "env" "proxy_get_header_map_value" (func $get_header (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_add_header_map_value" (func $add_header (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_send_local_response" (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_define_metric" (func $define_metric (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_increment_metric" (func $increment_metric (param i32 i64) (result i32)))

  (memory (export "memory") 2)
  (data (i32.const 64) ":path")
  (data (i32.const 80) "/teapot")
  (data (i32.const 96) "x-filtered")
  (data (i32.const 112) "yes")
  (data (i32.const 128) "short and stout")
  (data (i32.const 160) "teapots")
  (data (i32.const 176) "teapot")

  (func (export "proxy_abi_version_0_2_1"))
  (func (export "_initialize"))

  ;; Memory for what the host hands over: given out in order, never taken back.
  (global $free (mut i32) (i32.const 65536))
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
    (global.get $free)
    (global.set $free (i32.add (global.get $free) (local.get $size))))

  ;; The counter is defined when the plugin is configured; its number stands at 8.
  (func (export "proxy_on_configure") (param $root i32) (param $size i32) (result i32)
    (drop (call $define_metric (i32.const 0) (i32.const 160) (i32.const 7) (i32.const 8)))
    (i32.const 1))

  (func (export "proxy_on_request_headers") (param $context i32) (param $count i32) (param $end i32) (result i32)
    ;; The path is at (0), its length at (4).
    (drop (call $get_header (i32.const 0) (i32.const 64) (i32.const 5) (i32.const 0) (i32.const 4)))
    (if (call $is_teapot)
      (then
        (drop (call $increment_metric (i32.load (i32.const 8)) (i64.const 1)))
        (drop (call $reply (i32.const 418) (i32.const 176) (i32.const 6) (i32.const 128) (i32.const 15)
          (i32.const 0) (i32.const 0) (i32.const -1)))
        (return (i32.const 1))))
    (drop (call $add_header (i32.const 0) (i32.const 96) (i32.const 10) (i32.const 112) (i32.const 3)))
    (i32.const 0))

  (func $is_teapot (result i32) (local $at i32)
    (if (i32.ne (i32.load (i32.const 4)) (i32.const 7)) (then (return (i32.const 0))))
    (loop $next
      (if (i32.ne
            (i32.load8_u (i32.add (i32.load (i32.const 0)) (local.get $at)))
            (i32.load8_u (i32.add (i32.const 80) (local.get $at))))
        (then (return (i32.const 0))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $at) (i32.const 7))))
    (i32.const 1))
)
