//! WASI preview 1 as a proxy offers it: no files, no sockets, output into the log, the host's clock and
//! random numbers, the environment of the virtual machine. Answers are those of proxy-wasm-cpp-host.

use crate::abi::{Allowed, Function};
use crate::log::LogLevel;
use crate::memory::{Answer, Args, Call, Fail};

/// `EBADF`, `EFAULT`, `EINVAL`, `EIO` and their kin in the numbering of WASI preview 1.
const BADF: i32 = 8;
pub(crate) const FAULT: i32 = 21;
const INVAL: i32 = 28;
pub(crate) const IO: i32 = 29;
const NOENT: i32 = 44;
const NOSYS: i32 = 52;
const NOTSUP: i32 = 58;
/// What proxy-wasm-cpp-host answers to `fd_readdir`; it means `EEXIST`.
const READDIR: i32 = 20;

const fn at_start(name: &'static str, arity: usize, run: fn(&mut Call<'_>, &Args<'_>) -> Answer) -> Function {
    Function::new(name, arity, run).allowed(Allowed::AtStart)
}

/// The functions of `wasi_snapshot_preview1` and of `wasi_unstable`.
pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("fd_write", 4, fd_write).allowed(Allowed::Always),
    Function::new("clock_time_get", 3, clock_time_get)
        .wide(&[1])
        .allowed(Allowed::Always),
    Function::new("poll_oneoff", 4, poll_oneoff).allowed(Allowed::Always),
    Function::new("fd_read", 4, no_system),
    Function::new("fd_seek", 4, nothing).wide(&[1]),
    Function::new("fd_close", 1, nothing),
    Function::new("sched_yield", 0, nothing),
    Function::new("path_open", 9, |_, _| Err(Fail::Code(NOENT))).wide(&[5, 6]),
    Function::new("proc_exit", 1, proc_exit).no_result(),
    at_start("clock_res_get", 2, clock_res_get),
    at_start("random_get", 2, random_get),
    at_start("environ_get", 2, environ_get),
    at_start("environ_sizes_get", 2, environ_sizes_get),
    at_start("args_get", 2, nothing),
    at_start("args_sizes_get", 2, args_sizes_get),
    at_start("fd_fdstat_get", 2, fd_fdstat_get),
    at_start("fd_fdstat_set_flags", 2, no_system),
    at_start("fd_fdstat_set_rights", 3, output_only).wide(&[1, 2]),
    at_start("fd_prestat_get", 2, |_, _| Err(Fail::Code(BADF))),
    at_start("fd_prestat_dir_name", 3, no_system),
    at_start("fd_filestat_get", 2, |_, _| Err(Fail::Code(BADF))),
    at_start("fd_filestat_set_size", 2, output_only).wide(&[1]),
    at_start("fd_filestat_set_times", 4, output_only).wide(&[1, 2]),
    at_start("fd_advise", 4, nothing).wide(&[1, 2]),
    at_start("fd_allocate", 3, output_only).wide(&[1, 2]),
    at_start("fd_datasync", 1, output_only),
    at_start("fd_sync", 1, output_only),
    at_start("fd_pread", 5, no_system).wide(&[3]),
    at_start("fd_pwrite", 5, fd_pwrite).wide(&[3]),
    at_start("fd_readdir", 5, fd_readdir).wide(&[3]),
    at_start("fd_renumber", 2, fd_renumber),
    at_start("fd_tell", 2, fd_tell),
    at_start("path_create_directory", 3, unsupported),
    at_start("path_filestat_get", 5, unsupported),
    at_start("path_filestat_set_times", 7, unsupported).wide(&[4, 5]),
    at_start("path_link", 7, unsupported),
    at_start("path_readlink", 6, unsupported),
    at_start("path_remove_directory", 3, unsupported),
    at_start("path_rename", 6, unsupported),
    at_start("path_symlink", 5, unsupported),
    at_start("path_unlink_file", 3, unsupported),
    at_start("sock_accept", 3, unsupported),
    at_start("sock_recv", 6, unsupported),
    at_start("sock_send", 5, unsupported),
    at_start("sock_shutdown", 2, unsupported),
];

/// What Emscripten's own start-up code asks for, in `env`.
pub(crate) const EMSCRIPTEN: &[Function] = &[
    Function::new("emscripten_notify_memory_growth", 1, nothing)
        .allowed(Allowed::Always)
        .no_result(),
    Function::new("pthread_equal", 2, |_, args| {
        Err(Fail::Code(i32::from(args.at(0) == args.at(1))))
    }),
];

fn nothing(_: &mut Call<'_>, _: &Args<'_>) -> Answer {
    Ok(())
}

fn no_system(_: &mut Call<'_>, _: &Args<'_>) -> Answer {
    Err(Fail::Code(NOSYS))
}

fn unsupported(_: &mut Call<'_>, _: &Args<'_>) -> Answer {
    Err(Fail::Code(NOTSUP))
}

/// Standard output and error are the only files.
fn output_only(_: &mut Call<'_>, args: &Args<'_>) -> Answer {
    level(args.at(0)).map(drop)
}

fn level(fd: u32) -> Result<LogLevel, Fail> {
    match fd {
        1 => Ok(LogLevel::Info),
        2 => Ok(LogLevel::Error),
        _ => Err(Fail::Code(BADF)),
    }
}

fn fd_write(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    let written = write(call, args.at(0), args.at(1), args.at(2))?;
    call.write_len(args.at(3), written)
}

fn fd_pwrite(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    let written = write(call, args.at(0), args.at(1), args.at(2))?;
    call.write_len(args.at(4), written)
}

/// Size of one `ciovec`: a pointer and a length.
const IOVEC: u32 = 8;

fn write(call: &mut Call<'_>, fd: u32, vectors: u32, count: u32) -> Result<usize, Fail> {
    let level = level(fd)?;
    let mut text = Vec::new();
    for index in 0..count {
        let at = index
            .checked_mul(IOVEC)
            .and_then(|offset| vectors.checked_add(offset));
        let at = at.ok_or(Fail::Code(FAULT))?;
        let (pointer, len) = (call.number(at)?, call.number(at.saturating_add(4))?);
        if len > 0 {
            text.extend(call.bytes(pointer, len)?);
        }
    }
    if !text.is_empty() {
        call.state().log(level, text.strip_suffix(b"\n").unwrap_or(&text));
    }
    Ok(text.len())
}

/// Real time is 0, the steady clock 1; there is no other. Both are the host's clock.
fn clock_time_get(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    if args.at(0) > 1 {
        return Err(Fail::Code(NOTSUP));
    }
    let now = call.state().world.clock.now_nanos().ok_or(Fail::Code(IO))?;
    call.write_u64(args.at(2), now)
}

fn clock_res_get(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    if args.at(0) > 1 {
        return Err(Fail::Code(NOTSUP));
    }
    call.write_u64(args.at(1), 1)
}

/// The most that may be asked for at once.
const RANDOM_MAX: u32 = 64 * 1024;

fn random_get(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    if args.at(1) > RANDOM_MAX {
        return Err(Fail::Code(INVAL));
    }
    let bytes = call.state().world.random.bytes(args.at(1) as usize);
    call.write(args.at(0), &bytes)
}

fn environment(call: &mut Call<'_>) -> Vec<Vec<u8>> {
    let line = |(key, value): &(String, String)| format!("{key}={value}\0").into_bytes();
    call.state().world.environment.iter().map(line).collect()
}

fn environ_sizes_get(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    let lines = environment(call);
    call.write_len(args.at(0), lines.len())?;
    call.write_len(args.at(1), lines.iter().map(Vec::len).sum())
}

fn environ_get(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    let (mut pointer, mut text) = (args.at(0), args.at(1));
    for line in environment(call) {
        call.write_u32(pointer, text)?;
        call.write(text, &line)?;
        pointer = pointer.saturating_add(4);
        text = text.saturating_add(u32::try_from(line.len()).unwrap_or(u32::MAX));
    }
    Ok(())
}

fn args_sizes_get(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    call.write_u32(args.at(0), 0)?;
    call.write_u32(args.at(1), 0)
}

fn poll_oneoff(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    call.write_u32(args.at(3), 0)
}

fn fd_fdstat_get(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    /// The right to write, alone, as `fs_rights_base`.
    const FDSTAT: [u64; 3] = [0, 64, 0];
    level(args.at(0))?;
    call.write(args.at(1), FDSTAT.map(u64::to_le_bytes).as_flattened())
}

fn fd_readdir(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    call.write_u32(args.at(4), 0)?;
    Err(Fail::Code(READDIR))
}

fn fd_renumber(_: &mut Call<'_>, args: &Args<'_>) -> Answer {
    level(args.at(0))?;
    level(args.at(1))?;
    Err(Fail::Code(NOTSUP))
}

fn fd_tell(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    level(args.at(0))?;
    call.write_u64(args.at(1), 0)
}

fn proc_exit(_: &mut Call<'_>, args: &Args<'_>) -> Answer {
    Err(Fail::Trap(wasmtime::Error::msg(format!(
        "the module ended itself with exit status {}",
        args.at(0)
    ))))
}
